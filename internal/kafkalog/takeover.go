package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	takeoverTries = 5                     // at finding predecessors
	takeoverLook  = 50 * time.Millisecond // how often it is looked whether this member has asked to join
	takeoverWait  = 5 * time.Second       // for that
)

// Instance names this process in its groups, to the brokers' tools and to its successor. It must be a name that no other living
// process has: whoever joins a group under it takes over at once from a member that has it, for that one must be dead, while the
// others would wait for the end of its session. An empty name, the default, takes over from nobody. Set it before Group.
func (c *Client) Instance(name string) { c.instance = name }

// memberID is what members of this process call themselves; the coordinator adds to it what makes them unique.
func (c *Client) memberID() string {
	if c.instance == "" {
		return c.clientID
	}
	return c.clientID + "@" + c.instance
}

// takeOver removes from the group what a process of this one's name has left in it. It looks before this member joins, and does it
// once that has been asked for: a group that is empty in between waits for others to come (group.initial.rebalance.delay.ms).
// What it cannot do the end of the session does. end stops it.
func (g *Group) takeOver(ctx context.Context) (end func()) {
	nothing := func() {}
	if g.client.instance == "" {
		return nothing
	}
	var dead []string
	var members int
	var err error
	b := Backoff{Max: time.Second}
	for range takeoverTries { // a coordinator may be about to begin, and joining would have to wait as well
		if !b.Wait(ctx) {
			return nothing
		}
		if dead, members, err = g.predecessors(ctx); err == nil {
			break
		}
	}
	if err != nil && ctx.Err() == nil {
		g.log.Warn("cannot look for what this instance left in the group when it ended, its session has to end by itself", "error", err)
	}
	if len(dead) == 0 {
		return nothing
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		g.joining(ctx, members)
		if ctx.Err() != nil {
			return
		}
		if err := g.remove(ctx, dead); err != nil && ctx.Err() == nil {
			g.log.Warn("cannot remove what this instance left in the group when it ended, its session has to end by itself", "error", err)
			return
		}
		g.log.Info("took over from this instance's last run, which has not left the group", "members", len(dead))
	}()
	return func() { cancel(); <-done }
}

// predecessors are the members of this process's name, of all that the group has.
func (g *Group) predecessors(ctx context.Context) (dead []string, members int, err error) {
	all, err := g.describe(ctx)
	for i := range all {
		if all[i].ClientID == g.client.memberID() {
			dead = append(dead, all[i].MemberID)
		}
	}
	return dead, len(all), err
}

// describe asks for the members of the group.
func (g *Group) describe(ctx context.Context) ([]kmsg.DescribeGroupsResponseGroupMember, error) {
	req, res := kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrDescribeGroupsResponse()
	req.Groups = []string{g.cfg.ID}
	err := g.coordinator(ctx, kmsg.DescribeGroups, 4, req, res)
	if err == nil && len(res.Groups) != 1 {
		err = errors.New("the answer does not mention it")
	}
	if err == nil {
		err = answer(res.Groups[0].ErrorCode)
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", g.cfg.ID, err)
	}
	return res.Groups[0].Members, nil
}

// coordinator asks the group's coordinator, in a version of the request up to newest.
func (g *Group) coordinator(ctx context.Context, key kmsg.Key, newest int16, req kmsg.Request, res kmsg.Response) error {
	c := g.client
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	found, err := c.admin.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: g.cfg.ID, KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err == nil {
		err = found.Error
	}
	if err != nil {
		return fmt.Errorf("find the coordinator: %w", err)
	}
	return c.send(ctx, requestTimeout, &exchange{
		key:   int16(key),
		route: func(protocol.Cluster) (int32, error) { return int32(found.Coordinator.NodeID), nil },
		talk: func(rw io.ReadWriter) error {
			version, err := c.newest(rw, key, newest)
			if err != nil {
				return err
			}
			req.SetVersion(version)
			return c.talk(rw, req, res)
		},
	})
}

// joining waits until the group has more members than so many, but not for long.
func (g *Group) joining(ctx context.Context, members int) {
	ctx, cancel := context.WithTimeout(ctx, takeoverWait)
	defer cancel()
	for t := time.NewTicker(takeoverLook); ; {
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
			if all, err := g.describe(ctx); err == nil && len(all) > members {
				t.Stop()
				return
			}
		}
	}
}

func (g *Group) remove(ctx context.Context, members []string) error {
	for _, id := range members { // one by one, for old brokers' sake
		req, res := kmsg.NewPtrLeaveGroupRequest(), kmsg.NewPtrLeaveGroupResponse()
		req.Group, req.MemberID = g.cfg.ID, id
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = []kmsg.LeaveGroupRequestMember{m}
		err := g.coordinator(ctx, kmsg.LeaveGroup, 3, req, res)
		if err == nil {
			err = answer(res.ErrorCode)
		}
		for i := 0; err == nil && i < len(res.Members); i++ {
			err = answer(res.Members[i].ErrorCode)
		}
		if err != nil && !errors.Is(err, kafka.UnknownMemberId) { // its session has ended meanwhile
			return fmt.Errorf("remove member %s of group %s: %w", id, g.cfg.ID, err)
		}
	}
	return nil
}
