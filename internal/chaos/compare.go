package main

// compare fills the result in.
func (r *run) compare() error {
	r.result.events = r.world.Feed.Written()
	return nil
}
