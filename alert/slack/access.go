package slack

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	api "github.com/slack-go/slack"
)

// groupsFor is how long the members of a user group are remembered.
const groupsFor = 5 * time.Minute

// groups knows who is in a user group. It is for concurrent use.
type groups struct {
	api *api.Client
	now func() time.Time
	// secrets are kept out of what is said of failures.
	secrets []string

	mu struct {
		sync.Mutex
		members map[string]membership
	}
}

type membership struct {
	users []string
	until time.Time
}

func newGroups(client *api.Client, now func() time.Time, secrets ...string) *groups {
	g := &groups{api: client, now: now, secrets: secrets}
	g.mu.members = map[string]membership{}
	return g
}

// has says whether a user is in a group, as Slack told within the last minutes.
func (g *groups) has(ctx context.Context, group, user string) (bool, error) {
	now := g.now()
	g.mu.Lock()
	m, ok := g.mu.members[group]
	g.mu.Unlock()
	if !ok || !now.Before(m.until) {
		users, err := g.api.GetUserGroupMembersContext(ctx, group)
		if err != nil {
			return false, err
		}
		m = membership{users, now.Add(groupsFor)}
		g.mu.Lock()
		g.mu.members[group] = m
		g.mu.Unlock()
	}
	return slices.Contains(m.users, user), nil
}

// among says whether a user is one of ids, people and groups. Groups are asked for only where the user is not named. Problem
// says why that is not known of a group.
func (g *groups) among(ctx context.Context, ids []string, user string) (ok bool, problem string) {
	if slices.Contains(ids, user) {
		return true, ""
	}
	for _, id := range ids {
		if !groupID.MatchString(id) {
			continue
		}
		in, err := g.has(ctx, id, user)
		if in {
			return true, ""
		}
		if err != nil {
			problem = fmt.Sprintf("Who is in the user group %s cannot be asked: %s.", id, explain(err, g.secrets...))
		}
	}
	return false, problem
}

// explain says what is wrong with a call of the Web API, and what to do.
func explain(err error, secrets ...string) string {
	f := apiFailure(err, secrets...)
	if f.Hint != "" {
		return f.Reason + " (" + f.Hint + ")"
	}
	return f.Reason
}
