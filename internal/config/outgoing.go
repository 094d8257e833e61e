package config

import (
	"errors"
	"net/netip"
	"net/url"

	"github.com/driftd/driftd/internal/outbound"
	"github.com/driftd/driftd/internal/strictyaml"
)

// Outgoing says which addresses receivers and the registry may have.
type Outgoing struct {
	Allow []Network `yaml:"allow" item:"network" doc:"Networks or addresses, such as 169.254.7.0/24, that may be called though they are link-local or belong to the metadata service of a cloud: these are refused, also where a name stands for one."`
}

// Guard holds calls to what is allowed.
func (o *Outgoing) Guard() outbound.Guard {
	var g outbound.Guard
	for _, n := range o.Allow {
		g.Allow = append(g.Allow, n.Prefix)
	}
	return g
}

// Network is one of addresses, or an address alone.
type Network struct{ netip.Prefix }

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (n *Network) UnmarshalStrict(at strictyaml.Node) {
	text, ok := at.Text()
	if !ok {
		at.Wrong("a network")
		return
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		n.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		at.Errorf("such as 169.254.7.0/24, or 169.254.7.1", "`%s` is no network", text)
	case p.Masked() != p:
		at.Errorf("write "+p.Masked().String(), "`%s` is an address in a network", text)
	case p.Addr().Is4In6():
		at.Errorf("write it as one of IPv4, such as 169.254.7.0/24", "`%s` is a network of IPv4", text)
	default:
		n.Prefix = p
	}
}

// JSONSchema implements strictyaml.Schemer.
func (Network) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "minLength": 2, "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"}
}

// Words implements strictyaml.Worded.
func (Network) Words() string { return "network, such as 169.254.7.0/24" }

// peerProblem says why driftd would not call an address, and what to do about it where that is another thing than to mend the
// address; both empty where it would. What a name stands for is seen when it is called.
func (c *checker) peerProblem(text string) (problem, hint string) {
	if problem := urlProblem(text); problem != "" {
		return problem, ""
	}
	u, err := url.Parse(text)
	if err != nil {
		return "it is no URL", ""
	}
	if err := c.config.Outgoing.Guard().URL(u); err != nil {
		if e, ok := errors.AsType[*outbound.RefusedError](err); ok {
			return e.Why(), e.Hint()
		}
	}
	return "", ""
}
