//go:build !chaos

package main

// doors lets nobody change what the daemon goes by; a build with the tag chaos has some.
func doors(*daemonOptions) error { return nil }
