// Package demo is the world around driftd in `driftd demo`: a broker, traffic of three prompts, a prompt registry and a Slack,
// all in this process and on an accelerated clock; and the teller of what happens in it. driftd itself is not in here. It is
// wired by the caller as in production and reached in no other way: events go to its source topics, what it makes of them is
// read from its topics and from what Slack and the registry received. The teller says nothing that it has not seen there.
package demo
