// Package kafkalog is driftd's view of Kafka: a log of partitions that are fetched, produced to and shared out among the members
// of a group. It is the only importer of kafka-go.
//
// kafka-go finds the brokers, authenticates, pools connections and speaks the group protocol. Requests whose cost or whose detail
// matters (Fetch, Produce, Metadata with topic ids) go raw over its connections, encoded by kmsg; see exchange.go for how they can be
// cancelled without harm to a connection or to a buffer. Nothing is retried behind the caller's back: a request fails or it does not,
// and the caller goes on with Backoff. The one exception is Group, which joins for ever.
package kafkalog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

const (
	dialTimeout    = 5 * time.Second
	requestTimeout = 30 * time.Second // of one request, on top of what it may wait at the broker
	metadataTTL    = 10 * time.Second // at most; routing errors refresh at once
	refreshTimeout = 3 * time.Second
)

// Config says how to reach a cluster.
type Config struct {
	Brokers  []string    // host:port, at least one
	ClientID string      // shown in the brokers' logs and quotas
	TLS      *tls.Config // nil: plain text
	SASL     *SASL       // nil: no authentication
}

// SASL names the credentials. Mechanism is plain, scram-sha-256 or scram-sha-512, in any case.
type SASL struct {
	Mechanism, Username, Password string
}

// Client is a pool of connections to one cluster. It is safe for concurrent use; a Fetcher is not.
type Client struct {
	log       *slog.Logger
	brokers   []string
	clientID  string
	instance  string // see Instance
	addr      net.Addr
	transport *kafka.Transport
	admin     *kafka.Client
	dialer    *kafka.Dialer
	serial    atomic.Int32 // correlation ids
	stale     atomic.Bool  // a routing error was seen since the last look at the cluster's layout
	cluster   Cluster      // in place of all that; nil for brokers

	security security

	groups struct {
		sync.Mutex
		made []*Group
	}

	health struct {
		sync.Mutex
		known  bool
		worked bool   // some request got an answer
		detail string // cause of the last failure; empty after a success
	}
}

// Dial checks the configuration and returns a client. It does no I/O: a cluster that cannot be reached shows in the first request.
func Dial(cfg Config, log *slog.Logger) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("kafka: no brokers given")
	}
	for _, b := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, fmt.Errorf("kafka: broker %q: want host:port: %w", b, err)
		}
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if cfg.ClientID == "" {
		cfg.ClientID = "driftd"
	}
	c := &Client{
		log:      log,
		brokers:  cfg.Brokers,
		clientID: cfg.ClientID,
		addr:     kafka.TCP(cfg.Brokers...),
		transport: &kafka.Transport{
			ClientID: cfg.ClientID, TLS: cfg.TLS, SASL: mechanism,
			DialTimeout: dialTimeout, MetadataTTL: metadataTTL, IdleTimeout: time.Minute,
			Dial: dialConn,
		},
		dialer:   &kafka.Dialer{ClientID: cfg.ClientID, TLS: cfg.TLS, SASLMechanism: mechanism, Timeout: dialTimeout},
		security: security{sasl: mechanism != nil, tls: cfg.TLS != nil, certificate: cfg.TLS != nil && len(cfg.TLS.Certificates) > 0},
	}
	c.admin = &kafka.Client{Addr: c.addr, Timeout: requestTimeout, Transport: c.transport}
	return c, nil
}

// Close drops the connections. Requests under way end first by their own contexts.
func (c *Client) Close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// Reachable tells whether the last request got an answer, and if not, why. Before the first request it is false.
func (c *Client) Reachable() (ok bool, detail string) {
	c.health.Lock()
	defer c.health.Unlock()
	if !c.health.known {
		return false, "no request was made yet"
	}
	return c.health.detail == "", c.health.detail
}

// note keeps what a request says about the cluster: any answer means that it can be reached, also a refusal, but for one to let us in.
func (c *Client) note(err error) {
	detail := ""
	switch code := kafka.Error(0); {
	case err == nil:
	case errors.As(err, &code) && code != kafka.BrokerNotAvailable && !shutOut(code):
	case errors.Is(err, context.Canceled):
		return
	default:
		detail = err.Error()
	}
	c.health.Lock()
	c.health.known, c.health.detail = true, detail
	c.health.worked = c.health.worked || detail == ""
	c.health.Unlock()
	if misrouted(err) {
		c.stale.Store(true)
	}
}

// misrouted tells whether err may come from an outdated picture of who leads what.
func misrouted(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return true // the connection failed
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.BrokerNotAvailable,
		kafka.ReplicaNotAvailable, kafka.KafkaStorageError, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.ListenerNotFound:
		return true
	}
	return false
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch m := strings.ToLower(s.Mechanism); m {
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256", "scram-sha-512":
		algo := scram.SHA256
		if m == "scram-sha-512" {
			algo = scram.SHA512
		}
		mechanism, err := scram.Mechanism(algo, s.Username, s.Password)
		if err != nil {
			return nil, fmt.Errorf("kafka: sasl %s: %w", m, err)
		}
		return mechanism, nil
	}
	return nil, fmt.Errorf("kafka: sasl mechanism %q: want plain, scram-sha-256 or scram-sha-512", s.Mechanism)
}
