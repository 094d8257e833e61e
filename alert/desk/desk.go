package desk

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

const (
	// seenWithin is how long the board may take to learn what was written.
	seenWithin = 2 * time.Second
	// maxText is the longest comment or reason, in bytes.
	maxText = 2000
	// maxName is the longest name of a prompt or a version, in bytes: ingest takes no longer ones.
	maxName = 256

	// switchID is the id of the kill switches' records. All of one prompt, and all of the whole fleet, are in one partition, so
	// the newest is known.
	switchID = "rollbacks"
)

// ErrUnseen is answered when something was written but has not come back in two seconds: it holds, but whether somebody was
// first is not known.
var ErrUnseen = errors.New("written, but not yet seen in the alerts topic")

// InvalidError says what is wrong with a request, and what would be right.
type InvalidError struct{ Problem, Hint string }

func (e *InvalidError) Error() string {
	if e.Hint == "" {
		return e.Problem
	}
	return e.Problem + ": " + e.Hint
}

// DoneError says that somebody was first.
type DoneError struct {
	What string // what was done: "acknowledged", "approved", …
	By   string
	At   time.Time
}

func (e *DoneError) Error() string {
	return fmt.Sprintf("already %s by %s at %s UTC", e.What, e.By, e.At.UTC().Format("15:04 on 2006-01-02"))
}

// Appender writes a record into its partition of the alerts topic: alert.Appender.
type Appender interface {
	Append(ctx context.Context, r detector.Record) (partition int, offset int64, err error)
}

// Desk takes what people do. Its methods may be called by any goroutine; who names the person as the audit log shows it:
// "slack:U123 (jane)", "token:ci", "local". Errors to match: ErrNotFound, *InvalidError, *DoneError, ErrUnseen; any other means
// that the topic could not be written and that it may have happened or not.
type Desk struct {
	board  *Board
	log    Appender
	now    func() time.Time
	guards []string
}

// Config is what a Desk needs.
type Config struct {
	Board  *Board
	Log    Appender
	Now    func() time.Time // the clock of the records
	Guards []string         // names of those that a rollback by hand may override, one at a time
}

// New returns a desk.
func New(cfg Config) *Desk {
	return &Desk{board: cfg.Board, log: cfg.Log, now: cfg.Now, guards: cfg.Guards}
}

// Board is what the desk goes by.
func (d *Desk) Board() *Board { return d.board }

// Acknowledge says that who has taken on an alert and all of its group.
func (d *Desk) Acknowledge(ctx context.Context, who, alertID, comment string) error {
	a, err := d.board.Alert(alertID)
	if err != nil {
		return err
	}
	if err := text("comment", comment); err != nil {
		return err
	}
	switch {
	case a.State == detector.Pending:
		return &InvalidError{"the alert does not fire: it is pending", "a silence keeps it from being told"}
	case a.State != detector.Firing:
		return &InvalidError{fmt.Sprintf("the alert does not fire: it resolved at %s UTC", a.Since.UTC().Format("15:04 on 2006-01-02")), ""}
	case a.Acknowledged != nil:
		return &DoneError{"acknowledged", a.Acknowledged.Actor, a.Acknowledged.Time}
	}
	r := alert.Action(&a.Step, detector.Acknowledged, d.now())
	r.Actor, r.Reason = who, strings.TrimSpace(comment)
	n, offset, err := d.append(ctx, r)
	if err != nil {
		return err
	}
	if first, at := d.board.acknowledged(n, alert.Family(&a.Step)); first != nil && at < offset {
		return &DoneError{"acknowledged", first.Actor, first.Time}
	}
	return nil
}

// acknowledged is the acknowledgement that holds for a family of alerts and its offset, nil for none.
func (b *Board) acknowledged(n int, family alert.Key) (*detector.Record, int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.mu.parts[n]
	return p.acks.Of(family), p.acked[family]
}

// append writes a record and waits until the board has learnt it.
func (d *Desk) append(ctx context.Context, r detector.Record) (n int, offset int64, err error) {
	if n, offset, err = d.log.Append(ctx, r); err != nil {
		return n, offset, fmt.Errorf("write %s of %s: %w", r.Type, r.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, seenWithin)
	defer cancel()
	if d.board.progress.Wait(ctx, n, offset+1) != nil {
		return n, offset, ErrUnseen
	}
	return n, offset, nil
}

func text(what, s string) error {
	if len(s) > maxText {
		return &InvalidError{fmt.Sprintf("the %s has %d bytes", what, len(s)), fmt.Sprintf("%d are the most", maxText)}
	}
	return nil
}

// name checks what somebody calls a prompt or a version; empty is fine.
func name(what, s string) error {
	if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return &InvalidError{"this is no name of a " + what, fmt.Sprintf("%d bytes at most, of one line", maxName)}
	}
	return nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
