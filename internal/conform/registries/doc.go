// Package registries is the conformance suite of the clients of prompt registries: each case is what rollbacks rely on, and runs over
// every registry. It has tests alone. A registry is a file with a subject in it: where prompts are made and labels moved as people do,
// over the registry's own interface, and how its client is made. The same subject serves a fake, which answers as the registry
// documents it, and the registry itself, where its address is in the environment; .ci/test-registries starts those.
//
// With -v the suite ends with a table of registries and cases.
package registries
