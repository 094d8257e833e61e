package rollback

import (
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
)

// gauges count the attempts that are open, for readers of other goroutines.
type gauges struct{ waiting, watching, lingering atomic.Int64 }

func (g *gauges) register(set *metrics.Set) {
	for name, n := range map[string]*atomic.Int64{"waiting": &g.waiting, "watching": &g.watching, "lingering": &g.lingering} {
		set.GetOrCreateGauge("driftd_alert_rollback_"+name, func() float64 { return float64(n.Load()) })
	}
}

func (g *gauges) set(n gauged) {
	g.waiting.Store(n.waiting)
	g.watching.Store(n.watching)
	g.lingering.Store(n.lingering)
}

// gauged is one count of them.
type gauged struct{ waiting, watching, lingering int64 }

func (n *gauged) count(a *attempt) {
	switch a.State {
	case alert.RollbackWaiting:
		n.waiting++
	case alert.RollbackWatching:
		n.watching++
		if a.lingers {
			n.lingering++
		}
	}
}
