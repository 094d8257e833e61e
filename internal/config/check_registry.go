package config

// registry finds what a kind of registry needs and lacks, or has and cannot use.
func (c *checker) registry(r *Registry) {
	if r.Kind != "git" || r.URL != "" {
		c.url(&r.URL, "registry")
	}
	for _, s := range []*Secret{&r.Secret, &r.Password, &r.Token, &r.HookSecret} {
		c.secret(s)
	}
	if r.Kind == "webhook" && !c.doc.At(&r.Secret).Present() && !c.doc.Misspelt(r) {
		c.doc.At(&r.Kind).KeyErrorf("add `secret`, such as \"${REGISTRY_SECRET}\"", "a registry of kind `webhook` is asked by signed requests: `secret` is missing")
	}
}
