package demo

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/driftd/driftd/rules"
)

//go:embed rules.yaml
var rulesYAML []byte

// Rules are the rules that the demo runs with.
func Rules() *rules.Set {
	set, problems := rules.Parse("rules.yaml", rulesYAML, rules.Options{Dimensions: dimensions})
	if err := problems.Err(); err != nil {
		panic(fmt.Sprintf("BUG: the demo's rules: %v", err))
	}
	return set
}

// Plan says what will happen when. Times are event time since Begin.
type Plan struct {
	Begin   time.Time
	Length  time.Duration
	Figures time.Duration // when the first figures are told
	Good    time.Duration // a person promotes a version that is fine
	Fine    time.Duration // when its figures are told
	Bad     time.Duration // a person promotes the version that is worse for one cohort
	Speed   float64       // event seconds a second; what a slow machine cannot keep up with
	Limit   time.Duration // wall-clock time until the demo gives up
}

// Day is the plan of `driftd demo`: six hours in about forty seconds.
var Day = Plan{
	Begin: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Length: 6 * time.Hour,
	Figures: time.Hour, Good: 90 * time.Minute, Fine: 2 * time.Hour, Bad: 3 * time.Hour, Speed: 540, Limit: 3 * time.Minute,
}

var dimensions = []string{"tier", "locale"}

// share is a label and how much of the traffic has it.
type share struct {
	name string
	part float64
}

var (
	tiers   = []share{{"free", 0.34}, {"pro", 0.24}, {"team", 0.16}, {"enterprise", 0.18}, {"trial", 0.08}}
	locales = []share{{"en", 0.40}, {"de", 0.20}, {"fr", 0.14}, {"es", 0.12}, {"ja", 0.08}, {"pt", 0.06}}
)

// The cohort that suffers.
const badTier, badLocale = "enterprise", "de"

// prompt is how the calls of one prompt are.
type prompt struct {
	name    string
	model   string
	rate    float64 // calls a second on average
	latency float64 // median, seconds
	input   float64 // tokens, on average
	output  float64
	rubric  string
	judged  float64 // share of calls that are scored
	later   float64 // share of those whose score comes later, by itself
	first   string  // version at Begin
	pinned  pin     // a client that does not ask the registry
	quality map[string]float64
}

// pin is a client that stays with a version.
type pin struct {
	version, variant string
	part             float64 // of all calls
}

// The prompt and versions of the story.
const (
	support  = "support_intent_classifier"
	refund   = "refund_handler"
	summary  = "article_summarizer"
	goodWas  = "v17"
	good     = "v18"
	previous = "v22"
	bad      = "v23"

	grounding = "citation_grounding"
)

// The rules of rules.yaml.
const (
	floorRule = "GroundingBelowFloor"
	driftRule = "GroundingRegressed"
)

// prompts have a mean score for each version; bad has less in the cohort that suffers.
var prompts = []prompt{
	{
		name: support, model: "claude-4-7-sonnet-20260301", rate: 10, latency: 0.9, input: 1240, output: 90,
		rubric: grounding, judged: 1, later: 0.25, first: previous, pinned: pin{version: "v21", part: 0.03},
		quality: map[string]float64{"v21": 0.90, previous: 0.91, bad: 0.91},
	},
	{
		name: refund, model: "claude-4-7-sonnet-20260301", rate: 5, latency: 1.6, input: 2100, output: 240,
		rubric: "helpfulness", judged: 0.5, later: 1, first: goodWas,
		quality: map[string]float64{goodWas: 4.2, good: 4.3},
	},
	{
		name: summary, model: "claude-4-7-haiku-20260301", rate: 3, latency: 2.4, input: 3800, output: 310,
		rubric: "verdict", judged: 0.4, later: 1, first: "v8", pinned: pin{version: "v9", variant: "canary", part: 0.10},
		quality: map[string]float64{"v8": 0.95, "v9": 0.96},
	},
}

const badQuality = 0.78

// meanScore is what a version is worth in a cohort.
func (p *prompt) meanScore(version, tier, locale string) float64 {
	if version == bad && tier == badTier && locale == badLocale {
		return badQuality
	}
	return p.quality[version]
}
