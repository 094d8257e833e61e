package kafkalog

// Membership is how a member of a group is doing.
type Membership struct {
	Group      string
	Joined     bool
	Partitions int      // that it has
	Missing    []string // topics of the group that do not exist; it waits for them
	Problem    string   // why it could not join; empty while it has joined, and before the first try has ended
}

// Memberships are those of all groups that were made of this client, in the order of their making.
func (c *Client) Memberships() []Membership {
	c.groups.Lock()
	defer c.groups.Unlock()
	list := make([]Membership, len(c.groups.made))
	for i, g := range c.groups.made {
		list[i] = g.membership()
	}
	return list
}

func (g *Group) membership() Membership {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := Membership{Group: g.cfg.ID, Joined: g.mu.joined, Partitions: len(g.mu.claims), Problem: g.mu.problem}
	for _, name := range g.cfg.Topics {
		if _, ok := g.mu.counts[name]; !ok && g.mu.counts != nil {
			m.Missing = append(m.Missing, name)
		}
	}
	return m
}

// stands notes whether the member has joined, and why not where that is known.
func (g *Group) stands(joined bool, problem string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.joined, g.mu.problem = joined, problem
}
