// Package config reads the daemon's config: one YAML file, overridden by environment variables, overridden by flags. It
// reports every mistake at once, each with its place, and keeps secrets from being shown. It opens no connection and leaves
// rule files to package rules.
package config

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// Config is the whole config with defaults filled in. The tags are its documentation and make the JSON Schema.
type Config struct {
	Kafka       Kafka               `yaml:"kafka,required" doc:"The Kafka cluster that events come from and that driftd keeps its own topics in."`
	Sources     []Source            `yaml:"sources,required" item:"source" doc:"Topics with spans and scores."`
	Linking     Linking             `yaml:"linking" doc:"How records that belong together are brought together."`
	Dimensions  []string            `yaml:"dimensions" item:"dimension" default:"[tier, locale]" doc:"Labels that make series, beside prompt and version."`
	Attributes  map[string][]string `yaml:"attributes" doc:"Attributes that a field or a dimension is read from, in order of preference, in place of those of the preset; ATTRIBUTES.md has them all."`
	Limits      Limits              `yaml:"limits" doc:"Bounds of what is kept; what is beyond them is counted together."`
	Rules       []string            `yaml:"rules,required" item:"pattern" doc:"Rule files by glob pattern, relative to the folder of this file."`
	Receivers   []Receiver          `yaml:"receivers" item:"receiver" doc:"Who is told of alerts."`
	Route       *Route              `yaml:"route" doc:"Which alerts go to which receiver; the top one takes all that no other does."`
	MuteTimes   []MuteTime          `yaml:"mute_times" item:"mute time" doc:"Times at which a route tells nobody; what still fires afterwards is told then."`
	Acknowledge Acknowledge         `yaml:"acknowledge" doc:"What an acknowledgement does."`
	Watchdog    *Watchdog           `yaml:"watchdog" doc:"An alert named Watchdog that always fires, for a dead man's switch elsewhere. It stops when ingest or detect stand still."`
	Registry    *Registry           `yaml:"registry" doc:"The prompt registry that is asked to promote versions."`
	Rollback    Rollback            `yaml:"rollback" doc:"Limits of all rollbacks, whatever the rules allow."`
	Outgoing    Outgoing            `yaml:"outgoing" doc:"What driftd may call: receivers and the registry."`
	TraceURL    string              `yaml:"trace_url" doc:"Link to a trace, with {trace_id} where its id goes."`
	HTTP        HTTP                `yaml:"http" doc:"Health, metrics and reload."`

	Dir string `yaml:"-"` // folder of the file, which relative paths start from; "" is the working directory
}

// Kafka says how to reach the cluster and what driftd's own topics are like.
type Kafka struct {
	Brokers           []string `yaml:"brokers,required" item:"broker" doc:"host:port of one or more brokers."`
	ClientID          string   `yaml:"client_id" default:"driftd" doc:"How this process is known to the brokers."`
	TLS               TLS      `yaml:"tls" doc:"Encryption of the connection."`
	SASL              *SASL    `yaml:"sasl" doc:"Authentication."`
	TopicPrefix       string   `yaml:"topic_prefix" default:"driftd." doc:"Before the names of samples, state, alerts, dead and redrive."`
	Partitions        int      `yaml:"partitions" default:"16" min:"1" max:"10000" doc:"Of samples, alerts and state; pinned when the topics are made."`
	ReplicationFactor int      `yaml:"replication_factor" default:"3" min:"1" max:"100" doc:"Of driftd's own topics; no more than there are brokers."`
}

// TLS is off unless enabled.
type TLS struct {
	Enabled  bool   `yaml:"enabled" default:"false" doc:"Talk TLS to the brokers."`
	CAFile   string `yaml:"ca_file" doc:"PEM file with the authorities to trust; those of the system without it."`
	CertFile string `yaml:"cert_file" doc:"PEM file with the client's certificate; goes with key_file."`
	KeyFile  string `yaml:"key_file" doc:"PEM file with the client's key; goes with cert_file."`
}

// SASL authenticates to the brokers.
type SASL struct {
	Mechanism string `yaml:"mechanism,required" enum:"plain|scram-sha-256|scram-sha-512" doc:"plain, scram-sha-256 or scram-sha-512."`
	Username  string `yaml:"username,required" doc:"The user."`
	Password  Secret `yaml:"password,required" doc:"The password."`
}

// Source is a topic to read.
type Source struct {
	Topic      string `yaml:"topic,required" doc:"The topic's name."`
	Encoding   string `yaml:"encoding" default:"otlp_proto" enum:"otlp_proto|otlp_json|driftd_json|posthog|helicone" doc:"What its records are."`
	Envelope   string `yaml:"envelope" default:"none" enum:"none|cloudevents" doc:"What they are wrapped in: cloudevents is binary or structured."`
	Attributes string `yaml:"attributes" default:"auto" enum:"auto|otel|openinference|langfuse|openllmetry|mlflow" doc:"Which producers' attribute names are looked for, in OTLP: auto is all."`
	Start      Start  `yaml:"start" default:"earliest" doc:"Where to begin in a topic that has never been read: earliest, latest, or a time. Topics that are made later, or made again, and partitions that are added are read from their start."`
	// For producers that send again what had arrived.
	Dedup time.Duration `yaml:"dedup" default:"0s" doc:"Count spans of one trace and span id, and scores of one span, rubric and time, once within so long, event time: 1m to 24h; 0s counts each."`
}

// Linking brings spans and scores together that share a trace.
type Linking struct {
	Wait    time.Duration   `yaml:"wait" default:"10s" doc:"How long a span waits for its ancestors, in event time; 0s where every span is whole."`
	Horizon time.Duration   `yaml:"horizon" default:"30m" doc:"How long spans are remembered for scores that come later; 1m or more, and longer than wait."`
	Memory  strictyaml.Size `yaml:"memory" default:"256MiB" doc:"How much memory that may take, 1MiB or more; whichever ends first."`
}

// Limits bound the memory that series take.
type Limits struct {
	Series            int `yaml:"series" default:"200000" min:"1" doc:"In all, prompt × version × cohort × metric; each partition of samples has its share."`
	CohortsPerPrompt  int `yaml:"cohorts_per_prompt" default:"500" min:"1" doc:"Of one prompt."`
	VersionsPerPrompt int `yaml:"versions_per_prompt" default:"20" min:"1" doc:"Of one prompt."`
}

// Receiver is told of alerts. Exactly one of its kinds is set.
type Receiver struct {
	Name         string        `yaml:"name,required" doc:"Name of the receiver, for routes; letters, digits, _, - and ."`
	Slack        *Slack        `yaml:"slack" doc:"A Slack channel."`
	Webhook      *Webhook      `yaml:"webhook" doc:"A POST of the alert record, signed as Standard Webhooks are."`
	Alertmanager *Alertmanager `yaml:"alertmanager" doc:"One or more Prometheus Alertmanagers, by their API v2."`
	PagerDuty    *PagerDuty    `yaml:"pagerduty" doc:"A PagerDuty service, by Events API v2."`
}

// Slack has a bot's Token and Channel, or a WebhookURL.
type Slack struct {
	Token      Secret `yaml:"token" doc:"Bot token (xoxb-…) with chat:write; goes with channel."`
	Channel    string `yaml:"channel" doc:"#name or id of the channel; goes with token."`
	WebhookURL Secret `yaml:"webhook_url" doc:"Incoming webhook, in place of token and channel; messages cannot be updated in place."`
	// For what people press.
	SigningSecret Secret `yaml:"signing_secret" doc:"Signing secret of the Slack app: buttons, over HTTP at /slack/interactions."`
	AppToken      Secret `yaml:"app_token" doc:"App-level token (xapp-…) with connections:write: buttons by Socket Mode, for a daemon that nobody can reach from outside. In place of signing_secret."`
	Charts        bool   `yaml:"charts" default:"true" doc:"Upload a small chart with each new alert; needs the scope files:write. Without it, or where Slack refuses, a line of text."`
	Digest        Daily  `yaml:"digest" doc:"Post the day's table of all prompts at this time each day: 9:00 Europe/Berlin."`
}

// Alertmanager is one cluster of them: each is told.
type Alertmanager struct {
	URLs     []string `yaml:"urls,required" item:"address" doc:"http or https addresses, without /api/v2/alerts; all of them are told, as Prometheus does."`
	Username string   `yaml:"username" doc:"Of basic authentication; goes with password."`
	Password Secret   `yaml:"password" doc:"Of basic authentication."`
	Token    Secret   `yaml:"token" doc:"Bearer token, in place of username and password."`
}

// PagerDuty is one service.
type PagerDuty struct {
	RoutingKey Secret `yaml:"routing_key,required" doc:"Integration key of the service (Events API v2)."`
	URL        string `yaml:"url" default:"https://events.pagerduty.com/v2/enqueue" doc:"Of the Events API; EU services have their own."`
}

// Webhook is an address of your own.
type Webhook struct {
	URL      Secret `yaml:"url,required" doc:"http or https address, as it is, or as a secret is given; with opsgenie that of the API, such as https://api.opsgenie.com."`
	Secret   Secret `yaml:"secret" doc:"Key of the signature; as it is, or whsec_ and base64. Required unless template is set."`
	Template string `yaml:"template" enum:"grafana_oncall|opsgenie" doc:"Tell another shape than the alert record: that of a Formatted Webhook of Grafana OnCall, or of Opsgenie's Alert API."`
	Token    Secret `yaml:"token" doc:"Sent as Authorization: Bearer, or GenieKey with opsgenie."`
}

// MuteTime is a weekly time, such as nights and weekends.
type MuteTime struct {
	Name string   `yaml:"name,required" doc:"For routes."`
	Zone string   `yaml:"zone" default:"UTC" doc:"IANA time zone, such as Europe/Berlin; clock changes are followed."`
	Days []string `yaml:"days" item:"day" doc:"mon, tue, … or mon-fri; all without it. The day on which the time begins."`
	From string   `yaml:"from" default:"00:00" doc:"hh:mm, on that zone's clocks."`
	To   string   `yaml:"to" default:"24:00" doc:"hh:mm; before from it is of the next day."`
}

// Acknowledge is what an acknowledgement does.
type Acknowledge struct {
	UntilWorseBy Share `yaml:"until_worse_by" default:"20%" doc:"An acknowledgement stops repetitions until the value is this much further beyond its bound, as a share of the bound."`
}

// Watchdog is a dead man's switch.
type Watchdog struct {
	Receiver string        `yaml:"receiver,required" doc:"Who gets it: an alertmanager or a webhook."`
	Every    time.Duration `yaml:"every" default:"1m" doc:"How often."`
}

// Route sends alerts on by their labels.
type Route struct {
	Receiver string            `yaml:"receiver,required" doc:"Name of the receiver."`
	Match    map[string]string `yaml:"match" doc:"Globs by label, prompt and version among them; all must hold. * is any text, ? one character."`
	Routes   []Route           `yaml:"routes" item:"route" doc:"Tried in order, before this route's own receiver."`
	Continue bool              `yaml:"continue" default:"false" doc:"Go on to the next route after this one has matched."`

	// What the routes below take over unless they say otherwise.
	GroupBy    []string       `yaml:"group_by" item:"label" doc:"Alerts that agree in these labels are one message. Default: group, alert, prompt and version."`
	Repeat     *time.Duration `yaml:"repeat" doc:"Say it again when it has fired for so long since it was last told; 4h at the top, 0s for never."`
	Mute       []string       `yaml:"mute" item:"mute time" doc:"Names of mute_times."`
	Fallback   string         `yaml:"fallback" doc:"Receiver that is told when this one has not been able to for five minutes."`
	Responders []string       `yaml:"responders" item:"id" doc:"Slack ids of people (U…) and user groups (S…) who may acknowledge and silence; without it, everybody in the channel."`
	Approvers  []string       `yaml:"approvers" item:"id" doc:"Who may approve and reject rollbacks in Slack; without it, nobody."`
}

// Registry is asked to promote versions.
type Registry struct {
	Kind       string        `yaml:"kind,required" enum:"webhook|mlflow|phoenix|langfuse|git" doc:"The protocol."`
	URL        string        `yaml:"url" doc:"http or https address; of git, what to clone and push to. Required but of git."`
	Label      string        `yaml:"label" default:"production" doc:"The label, alias or tag that makes a version the current one; not of webhook and git."`
	Secret     Secret        `yaml:"secret" doc:"Key of the signature, of webhook; as it is, or whsec_ and base64."`
	Username   string        `yaml:"username" doc:"Of basic authentication: MLflow's user, Langfuse's public key, or that of git over https."`
	Password   Secret        `yaml:"password" doc:"Of basic authentication: MLflow's password, Langfuse's secret key, a password or token of git over https."`
	Token      Secret        `yaml:"token" doc:"Bearer token: Phoenix's API key, MLflow behind a proxy."`
	Dir        string        `yaml:"dir" doc:"Of git, and required of it: the folder where what is at url is kept, made where it does not exist; without url, a repository of your own, whose branch is moved."`
	Path       string        `yaml:"path" default:"prompts/{prompt}.current" doc:"Of git: the file that names the current version of a prompt, from the top of the repository."`
	Branch     string        `yaml:"branch" default:"main" doc:"Of git: the branch with the files."`
	Push       bool          `yaml:"push" default:"true" doc:"Of git: what is at url counts, and commits are pushed there. With false the branch in dir counts."`
	Grace      time.Duration `yaml:"grace" default:"1m" doc:"How long clients may go on with a version after the label has moved."`
	Poll       time.Duration `yaml:"poll" default:"1m" doc:"How often to look whether someone has promoted a version; 0s for never."`
	HookSecret Secret        `yaml:"hook_secret" doc:"Secret of the registry's own webhook, to /hooks/registry: promotions by others are known at once."`
}

// Rollback limits what rules may do.
type Rollback struct {
	Enabled       bool          `yaml:"enabled" default:"true" doc:"Kill switch: with false nothing is ever promoted; what would have been is recorded."`
	Cooldown      time.Duration `yaml:"cooldown" default:"1h" doc:"After a promotion the same prompt is left alone for so long."`
	PromptPerDay  int           `yaml:"prompt_per_day" default:"2" min:"1" doc:"Promotions of one prompt in 24 hours, at most."`
	FleetPerDay   int           `yaml:"fleet_per_day" default:"10" min:"1" doc:"Promotions of all prompts in 24 hours, at most."`
	MinSamples    int           `yaml:"min_samples" default:"200" min:"1" doc:"Calls of the target in the last 24 hours, at least: that long it was seen to be well."`
	Horizon       time.Duration `yaml:"horizon" default:"7d" doc:"A version that was rolled back is no target for so long."`
	ApproveWithin time.Duration `yaml:"approve_within" default:"24h" doc:"A proposal that nobody has decided on by then is rejected."`
	RemindAfter   time.Duration `yaml:"remind_after" default:"1h" doc:"People are reminded of a proposal when it has waited for so long, and each time it has waited twice as long."`
	Watch         time.Duration `yaml:"watch" default:"1h" doc:"How long a promotion is watched, at most, before it is called ineffective."`
}

// HTTP is where the daemon answers.
type HTTP struct {
	Listen    string   `yaml:"listen" default:"127.0.0.1:8430" doc:"host:port; this machine alone by default. One that others can reach needs a token, or tls with client_ca_file."`
	TLS       *HTTPTLS `yaml:"tls" doc:"Answer by https."`
	Token     Secret   `yaml:"token" doc:"Bearer token for what changes something, such as POST /-/reload; without one only this machine may. A file is read again when it changes; it may hold two, the new one and the old one, each on its line."`
	Tokens    []Token  `yaml:"tokens" item:"token" doc:"More of them, each with a name that the audit log shows."`
	PublicURL string   `yaml:"public_url" doc:"Where people reach this daemon, for links in messages, such as https://driftd.example."`
}

// HTTPTLS is how the daemon shows who it is. Its files are read again when they change.
type HTTPTLS struct {
	CertFile     string `yaml:"cert_file,required" doc:"PEM file with the daemon's certificate, and those between it and the authority. Files are read again when they change."`
	KeyFile      string `yaml:"key_file,required" doc:"PEM file with its key."`
	ClientCAFile string `yaml:"client_ca_file" doc:"PEM file with authorities: whoever has a certificate of theirs for clients may read and write, and the audit log shows its name; without a certificate or token nobody may, this machine neither. Give them nothing else to sign."`
}

// Token lets a person or program in.
type Token struct {
	Name   string `yaml:"name,required" doc:"Who has it: stands in the audit log."`
	Secret Secret `yaml:"secret,required" doc:"The token."`
	Scope  string `yaml:"scope" default:"write" enum:"read|write" doc:"read: alerts, silences, rollbacks. write: acknowledge, silence, approve, roll back as well."`
}

// Topic is the full name of one of driftd's own topics: samples, state, alerts or dead.
func (k *Kafka) Topic(name string) string { return k.TopicPrefix + name }
