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
	Kafka      Kafka               `yaml:"kafka,required" doc:"The Kafka cluster that events come from and that driftd keeps its own topics in."`
	Sources    []Source            `yaml:"sources,required" item:"source" doc:"Topics with spans and scores."`
	Linking    Linking             `yaml:"linking" doc:"How records that belong together are brought together."`
	Dimensions []string            `yaml:"dimensions" item:"dimension" default:"[tier, locale]" doc:"Labels that make series, beside prompt and version."`
	Attributes map[string][]string `yaml:"attributes" doc:"Attributes that a field or a dimension is read from, in order of preference, in place of those of the preset; ATTRIBUTES.md has them all."`
	Limits     Limits              `yaml:"limits" doc:"Bounds of what is kept; what is beyond them is counted together."`
	Rules      []string            `yaml:"rules,required" item:"pattern" doc:"Rule files by glob pattern, relative to the folder of this file."`
	Receivers  []Receiver          `yaml:"receivers" item:"receiver" doc:"Who is told of alerts."`
	Route      *Route              `yaml:"route" doc:"Which alerts go to which receiver; the top one takes all that no other does."`
	Registry   *Registry           `yaml:"registry" doc:"The prompt registry that is asked to promote versions."`
	Rollback   Rollback            `yaml:"rollback" doc:"Limits of all rollbacks, whatever the rules allow."`
	TraceURL   string              `yaml:"trace_url" doc:"Link to a trace, with {trace_id} where its id goes."`
	HTTP       HTTP                `yaml:"http" doc:"Health, metrics and reload."`

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
	Start      Start  `yaml:"start" default:"earliest" doc:"Where to begin in a topic that has never been read: earliest, latest, or a time."`
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

// Receiver is told of alerts. Exactly one of Slack and Webhook is set.
type Receiver struct {
	Name    string   `yaml:"name,required" doc:"Name of the receiver, for routes; letters, digits, _, - and ."`
	Slack   *Slack   `yaml:"slack" doc:"A Slack channel."`
	Webhook *Webhook `yaml:"webhook" doc:"A POST of the alert record, signed as Standard Webhooks are."`
	_       struct{} `later:"alertmanager|pagerduty"`
}

// Slack has a bot's Token and Channel, or a WebhookURL.
type Slack struct {
	Token      Secret `yaml:"token" doc:"Bot token (xoxb-…) with chat:write; goes with channel."`
	Channel    string `yaml:"channel" doc:"#name or id of the channel; goes with token."`
	WebhookURL Secret `yaml:"webhook_url" doc:"Incoming webhook, in place of token and channel; messages cannot be updated in place."`
}

// Webhook is an address of your own.
type Webhook struct {
	URL    string `yaml:"url,required" doc:"http or https address."`
	Secret Secret `yaml:"secret,required" doc:"Key of the signature; as it is, or whsec_ and base64."`
}

// Route sends alerts on by their labels.
type Route struct {
	Receiver string            `yaml:"receiver,required" doc:"Name of the receiver."`
	Match    map[string]string `yaml:"match" doc:"Exact values by label, prompt and version among them; all must hold."`
	Routes   []Route           `yaml:"routes" item:"route" doc:"Tried in order, before this route's own receiver."`
	Continue bool              `yaml:"continue" default:"false" doc:"Go on to the next route after this one has matched."`
}

// Registry is asked to promote versions.
type Registry struct {
	Kind   string `yaml:"kind,required" enum:"webhook" later:"langfuse|mlflow|phoenix" doc:"The protocol."`
	URL    string `yaml:"url,required" doc:"http or https address."`
	Secret Secret `yaml:"secret,required" doc:"Key of the signature; as it is, or whsec_ and base64."`
}

// Rollback limits what rules may do.
type Rollback struct {
	Enabled  bool          `yaml:"enabled" default:"true" doc:"Kill switch: with false nothing is ever promoted; what would have been is recorded."`
	Cooldown time.Duration `yaml:"cooldown" default:"1h" doc:"After a promotion the same prompt is left alone for so long."`
}

// HTTP is where the daemon answers.
type HTTP struct {
	Listen string `yaml:"listen" default:"127.0.0.1:8430" doc:"host:port; this machine alone by default."`
	Token  Secret `yaml:"token" doc:"Bearer token for what changes something, such as POST /-/reload; without one only this machine may."`
}

// Topic is the full name of one of driftd's own topics: samples, state, alerts or dead.
func (k *Kafka) Topic(name string) string { return k.TopicPrefix + name }
