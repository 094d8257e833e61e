package alert

import (
	"fmt"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"
)

// Trouble is what is wrong with a receiver, as the metric tells it. The set is closed.
type Trouble string

const (
	TroubleDown         Trouble = "down"           // no answer, or one that it cannot now
	TroubleRateLimited  Trouble = "rate_limited"   // it asks for fewer calls
	TroubleCredentials  Trouble = "credentials"    // a token, key or password that is not valid, or not any more
	TroubleRights       Trouble = "rights"         // valid, but not allowed to do that
	TroubleAddress      Trouble = "address"        // something else answers there, or nothing by that name
	TroubleArchived     Trouble = "archived"       // the channel is
	TroubleNotInChannel Trouble = "not_in_channel" // the bot is not, or there is no such channel
	TroubleMessage      Trouble = "message"        // a message is too long, or not taken as it is
	TroubleRefused      Trouble = "refused"        // the last notification, for ever
	TroublePart         Trouble = "part"           // one of several addresses; the others work
	TroubleOther        Trouble = "other"
)

var allTroubles = []Trouble{
	TroubleDown, TroubleRateLimited, TroubleCredentials, TroubleRights, TroubleAddress, TroubleArchived, TroubleNotInChannel,
	TroubleMessage, TroubleRefused, TroublePart, TroubleOther,
}

// Complainer is a Receiver that can have told all, and still have something that a person should mend.
type Complainer interface {
	// Complaint says what, and what to do; empty for nothing. Calls come one at a time, with those of Deliver.
	Complaint() (what Trouble, text string)
}

// trouble is what a failure is as a state of the receiver.
func (f *Failure) trouble() Trouble {
	if f.Trouble != "" {
		return f.Trouble
	}
	switch {
	case f.Kind == Unavailable && f.After > 0:
		return TroubleRateLimited
	case f.Kind == Unavailable:
		return TroubleDown
	case f.Kind == Unsendable:
		return TroubleMessage
	case f.Kind == Refused:
		return TroubleRefused
	}
	return TroubleOther
}

// showTrouble registers a gauge for each kind of trouble: 1 for the one that Status tells.
func showTrouble(set *metrics.Set, receiver string, now *atomic.Pointer[Trouble]) {
	for _, t := range allTroubles {
		set.GetOrCreateGauge(fmt.Sprintf(`driftd_alert_trouble{receiver=%q,what=%q}`, receiver, t), func() float64 {
			if is := now.Load(); is != nil && *is == t {
				return 1
			}
			return 0
		})
	}
}
