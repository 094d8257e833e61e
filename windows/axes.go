package windows

// Axes are what a call says beside its dimensions.
type Axes struct{ TemplateHash, Model, Variant, Environment string }

// AxisCount is how many calls of a minute had these axes.
type AxisCount struct {
	Axes
	Calls     int64
	Fallbacks int64 // of them, with the fallback prompt
}

// PaneAxes are the axes of the calls in the minute that was sealed last, sorted.
func (g *Group) PaneAxes() []AxisCount { return nil }
