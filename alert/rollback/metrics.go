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

func (g *gauges) count(open map[*attempt]struct{}) {
	var waiting, watching, lingering int64
	for a := range open {
		switch a.State {
		case alert.RollbackWaiting:
			waiting++
		case alert.RollbackWatching:
			watching++
			if a.lingers {
				lingering++
			}
		}
	}
	g.waiting.Store(waiting)
	g.watching.Store(watching)
	g.lingering.Store(lingering)
}
