package fakeslack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// app is where the app hears what people press.
type app struct {
	url     string // for interactions over HTTP; empty for none
	client  *http.Client
	sockets map[*socket]bool
}

// answerWithin is how long Slack waits for an app.
const answerWithin = 3 * time.Second

const responsePath = "/actions/T0/"

// responseURL lets the app answer one interaction: five times, for half an hour.
type responseURL struct {
	channel, user string
	uses          int
	until         time.Time
}

// Interact says where interactions are posted to. Nil is http.DefaultClient.
func (s *Server) Interact(url string, client *http.Client) {
	if client == nil {
		client = http.DefaultClient
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.app.url, s.mu.app.client = url, client
}

// Press presses a button of a message, by its action id, as a person does. The app is asked over its socket where it has one,
// else at the address of Interact. It fails where Slack would show the person that it did not work.
func (s *Server) Press(ctx context.Context, ts, action, user string) error {
	payload, err := s.pressed(ts, action, user)
	if err != nil {
		return err
	}
	_, err = s.deliver(ctx, payload)
	return err
}

// Pressed returns the signed request that Press would send over HTTP.
func (s *Server) Pressed(ctx context.Context, to, ts, action, user string) (*http.Request, error) {
	payload, err := s.pressed(ts, action, user)
	if err != nil {
		return nil, err
	}
	return s.sign(ctx, to, payload)
}

// pressed is the payload of a button.
func (s *Server) pressed(ts, action, user string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m *Message
	for _, one := range s.mu.messages {
		if one.TS == ts && !one.Deleted {
			m = one
		}
	}
	if m == nil {
		return nil, fmt.Errorf("there is no message %s", ts)
	}
	b, err := findButton(m.Blocks, action)
	if err != nil {
		return nil, err
	}
	s.mu.serial++
	path := fmt.Sprintf("%s%d", responsePath, s.mu.serial)
	s.mu.responses[path] = &responseURL{channel: m.Channel, user: user, until: s.cfg.Now().Add(30 * time.Minute)}
	b["action_ts"] = fmt.Sprintf("%d.%06d", s.cfg.Now().Unix(), s.mu.serial)
	return json.Marshal(map[string]any{
		"type": "block_actions", "user": s.user(user), "team": map[string]string{"id": "T0", "domain": "acme"}, "api_app_id": "A0",
		"token": "legacy", "trigger_id": s.trigger(), "response_url": s.mu.base + path,
		"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": false},
		"channel":   map[string]string{"id": m.Channel, "name": "channel"},
		"message":   map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "blocks": m.Blocks},
		"actions":   []any{b},
	})
}

func (s *Server) user(id string) map[string]string {
	name := s.cfg.Users[id]
	return map[string]string{"id": id, "username": name, "name": name, "team_id": "T0"}
}

// trigger makes an id with which a dialog can be opened for a short time.
func (s *Server) trigger() string {
	s.mu.serial++
	id := fmt.Sprintf("%d.trigger", s.mu.serial)
	s.mu.triggers[id] = s.cfg.Now().Add(answerWithin)
	return id
}

func findButton(blocks json.RawMessage, action string) (map[string]any, error) {
	var all []struct {
		Type     string           `json:"type"`
		BlockID  string           `json:"block_id"`
		Elements []map[string]any `json:"elements"`
	}
	if err := json.Unmarshal(blocks, &all); err != nil {
		return nil, fmt.Errorf("the message has no buttons: %w", err)
	}
	for i, b := range all {
		for _, e := range b.Elements {
			if b.Type == "actions" && e["action_id"] == action {
				id := b.BlockID
				if id == "" {
					id = "b" + strconv.Itoa(i)
				}
				return map[string]any{"type": "button", "action_id": action, "block_id": id, "value": e["value"], "text": e["text"]}, nil
			}
		}
	}
	return nil, fmt.Errorf("the message has no button %s", action)
}

// deliver asks the app and returns its answer.
func (s *Server) deliver(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if so := s.socket(); so != nil {
		return so.ask(ctx, payload)
	}
	s.mu.Lock()
	to, client := s.mu.app.url, s.mu.app.client
	s.mu.Unlock()
	if to == "" {
		return nil, errors.New("the app has no address for interactions")
	}
	r, err := s.sign(ctx, to, payload)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the app did not answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the app answered %d: %s", resp.StatusCode, body)
	}
	return body, nil
}

// sign makes a request as Slack does.
func (s *Server) sign(ctx context.Context, to string, payload []byte) (*http.Request, error) {
	body := url.Values{"payload": {string(payload)}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(s.cfg.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.cfg.SigningSecret))
	mac.Write([]byte("v0:" + at + ":" + body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", at)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return r, nil
}

// respond takes what the app posts to a response_url.
func (s *Server) respond(r *http.Request) answer {
	var body struct {
		Text            string          `json:"text"`
		Blocks          json.RawMessage `json:"blocks"`
		ResponseType    string          `json:"response_type"`
		ReplaceOriginal bool            `json:"replace_original"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&body) != nil {
		return answer{status: http.StatusBadRequest, code: "invalid_payload"}
	}
	s.mu.Lock()
	u := s.mu.responses[r.URL.Path]
	ok := u != nil && u.uses < 5 && s.cfg.Now().Before(u.until)
	if ok {
		u.uses++
	}
	s.mu.Unlock()
	if !ok {
		return answer{status: http.StatusNotFound, code: "expired_url"}
	}
	if body.ResponseType != "ephemeral" || body.ReplaceOriginal {
		return answer{status: http.StatusBadRequest, code: "only ephemeral answers are known here"}
	}
	a := s.ephemeral(Ephemeral{Channel: u.channel, User: u.user, Text: body.Text, Blocks: body.Blocks})
	if a.code != "" {
		a.status = http.StatusBadRequest
	}
	return a
}

// members is usergroups.users.list.
func (s *Server) members(group string) answer {
	users, ok := s.cfg.Groups[group]
	if !ok {
		return answer{code: "no_such_subteam"}
	}
	return answer{more: map[string]any{"users": users}}
}
