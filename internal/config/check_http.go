package config

func (c *checker) http() {
	h := &c.config.HTTP
	c.secret(&h.Token)
	for i := range h.Tokens {
		c.secret(&h.Tokens[i].Secret)
	}
}
