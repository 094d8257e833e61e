package kafkalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxAnswer bounds what a broker can make us allocate, in bytes. What we ask for is smaller; only one oversized batch can come near.
const maxAnswer = 512 << 20

// exchange is one raw request over a connection of kafka-go's transport. kafka-go runs it on a goroutine of its own and returns to
// the caller at once when the context ends, while the goroutine still uses the exchange's buffers. Therefore:
//   - when the context ends, the connection's deadline is moved to the past, which ends the exchange and makes kafka-go close the
//     connection, for an answer may still be under way on it;
//   - the caller waits for that (settle), so that buffers have one owner again when a call returns;
//   - an exchange whose caller is gone before it started sends nothing and leaves the connection as it was.
type exchange struct {
	ctx   context.Context
	key   int16
	route func(protocol.Cluster) (int32, error) // the broker's id, -1 for any; nil: any
	talk  func(rw io.ReadWriter) error          // writes requests, reads answers
	reply protocol.Message                      // what kafka-go gets to see of the answer

	state atomic.Int32
	done  chan struct{} // closed when talk is over; then err may be read
	err   error
}

const (
	exchangeWaiting = iota
	exchangeRunning
	exchangeAbandoned
)

func (x *exchange) ApiKey() protocol.ApiKey                 { return protocol.ApiKey(x.key) }
func (x *exchange) Required(map[protocol.ApiKey]int16) bool { return true }

func (x *exchange) Broker(layout protocol.Cluster) (protocol.Broker, error) {
	if x.route == nil {
		return protocol.Broker{ID: -1}, nil
	}
	id, err := x.route(layout)
	return protocol.Broker{ID: id}, err
}

func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if !x.state.CompareAndSwap(exchangeWaiting, exchangeRunning) {
		return nil, protocol.ErrNoRecord // the one error after which kafka-go keeps the connection
	}
	defer close(x.done)
	conn := rw.(interface{ SetDeadline(time.Time) error })
	stop := context.AfterFunc(x.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	x.err = x.talk(rw)
	if !stop() { // the deadline is or will be in the past: this connection must not go back to the pool
		if x.err != nil {
			x.err = context.Cause(x.ctx)
		}
		return nil, context.Cause(x.ctx)
	}
	if x.reply != nil {
		return x.reply, x.err
	}
	return x, x.err
}

// settle waits until nobody else uses the exchange and returns its outcome; err is what RoundTrip said.
func (x *exchange) settle(err error) error {
	if x.state.CompareAndSwap(exchangeWaiting, exchangeAbandoned) {
		if err == nil {
			err = errNoBroker
		}
		return err
	}
	<-x.done
	return x.err
}

// send runs x within timeout, which includes finding the broker.
func (c *Client) send(ctx context.Context, timeout time.Duration, x *exchange) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer in %v: %w", timeout.Round(time.Second), context.DeadlineExceeded))
	defer cancel()
	if c.stale.Load() {
		c.refresh(ctx)
	}
	x.ctx, x.done = ctx, make(chan struct{})
	_, err := c.transport.RoundTrip(ctx, c.addr, x)
	err = x.settle(err)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = context.Cause(ctx)
	}
	err = c.hint(err)
	c.note(err)
	return err
}

// refresh makes kafka-go's transport look at the cluster's layout now. It does so after an answer to CreateTopics, so it is shown one.
func (c *Client) refresh(ctx context.Context) {
	if !c.stale.CompareAndSwap(true, false) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	x := &exchange{
		ctx: ctx, key: int16(kmsg.Metadata), done: make(chan struct{}),
		talk: func(io.ReadWriter) error { return nil }, reply: &createtopics.Response{},
	}
	_, err := c.transport.RoundTrip(ctx, c.addr, x)
	if x.settle(err) != nil {
		c.stale.Store(true)
	}
}

// ask writes one encoded request and reads its answer into buf, which grows as needed. It returns the answer's body without header.
func ask(rw io.ReadWriter, out []byte, serial int32, flexible bool, buf *[]byte) ([]byte, error) {
	if _, err := rw.Write(out); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	var head [4]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > maxAnswer {
		return nil, fmt.Errorf("read answer: a size of %d bytes is not plausible", size)
	}
	*buf = fit(*buf, size)
	if _, err := io.ReadFull(rw, *buf); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	body := *buf
	if got := int32(binary.BigEndian.Uint32(body)); got != serial {
		return nil, fmt.Errorf("read answer: it belongs to request %d, not %d", got, serial)
	}
	if body = body[4:]; flexible {
		return skipTags(body)
	}
	return body, nil
}

// skipTags steps over the tagged fields of an answer's header.
func skipTags(b []byte) ([]byte, error) {
	n, w := binary.Uvarint(b)
	for b = b[max(w, 0):]; w > 0 && n > 0; n-- {
		_, w = binary.Uvarint(b)
		if w <= 0 {
			break
		}
		var size uint64
		b = b[w:]
		if size, w = binary.Uvarint(b); w <= 0 || size > uint64(len(b)-w) {
			w = 0
			break
		}
		b = b[w+int(size):]
	}
	if w <= 0 {
		return nil, errors.New("read answer: broken header")
	}
	return b, nil
}

// spare is the capacity in bytes up to which a buffer is kept whatever it is used for.
const spare = 4 << 20

// fit returns buf with length n, made anew when it is too small or, above spare, four times too large.
func fit(buf []byte, n int) []byte {
	if cap(buf) < n || cap(buf) > spare && cap(buf)/4 > n {
		return make([]byte, n)
	}
	return buf[:n]
}

// encode appends req with its header to dst.
func (c *Client) encode(dst []byte, req kmsg.Request) (out []byte, serial int32) {
	serial = c.serial.Add(1)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(c.clientID)).AppendRequest(dst, req, serial), serial
}

func (c *Client) talk(rw io.ReadWriter, req kmsg.Request, res kmsg.Response) error {
	out, serial := c.encode(nil, req)
	res.SetVersion(req.GetVersion())
	var buf []byte
	// ApiVersions answers have the old header in every version.
	body, err := ask(rw, out, serial, res.IsFlexible() && req.Key() != int16(kmsg.ApiVersions), &buf)
	if err != nil {
		return err
	}
	if err := res.ReadFrom(body); err != nil {
		return fmt.Errorf("decode answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return nil
}

// leader routes to the broker that leads a partition.
func leader(layout protocol.Cluster, topic string, partition int32) (int32, error) {
	if len(layout.Brokers) == 0 {
		return -1, errNoBroker
	}
	t, ok := layout.Topics[topic]
	if !ok {
		return -1, answer(int16(kafka.UnknownTopicOrPartition))
	}
	p, ok := t.Partitions[partition]
	if !ok {
		return -1, answer(int16(kafka.UnknownTopicOrPartition))
	}
	if _, ok := layout.Brokers[p.Leader]; !ok {
		return -1, kafka.LeaderNotAvailable
	}
	return p.Leader, nil
}
