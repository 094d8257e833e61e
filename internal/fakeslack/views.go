package fakeslack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// View is a dialog that was opened.
type View struct {
	ID, User, CallbackID, PrivateMetadata string
	Blocks                                json.RawMessage
}

// Views returns the dialogs that were opened, oldest first.
func (s *Server) Views() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]View(nil), s.mu.views...)
}

// Submit submits the newest dialog with these values, by action id. It returns the errors that the app answers, by block id.
func (s *Server) Submit(ctx context.Context, user string, values map[string]any) (map[string]string, error) {
	payload, err := s.submitted(user, values)
	if err != nil {
		return nil, err
	}
	body, err := s.deliver(ctx, payload)
	if err != nil {
		return nil, err
	}
	var a struct {
		ResponseAction string            `json:"response_action"`
		Errors         map[string]string `json:"errors"`
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &a); err != nil {
			return nil, fmt.Errorf("the app's answer to a dialog is no JSON: %w", err)
		}
	}
	return a.Errors, nil
}

func (s *Server) submitted(user string, values map[string]any) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.views) == 0 {
		return nil, errors.New("no dialog is open")
	}
	v := s.mu.views[len(s.mu.views)-1]
	var blocks []struct {
		BlockID string         `json:"block_id"`
		Element map[string]any `json:"element"`
	}
	if err := json.Unmarshal(v.Blocks, &blocks); err != nil {
		return nil, err
	}
	state := map[string]map[string]any{}
	for i, b := range blocks {
		id, ok := b.Element["action_id"].(string)
		if !ok {
			continue
		}
		if b.BlockID == "" {
			b.BlockID = "b" + strconv.Itoa(i)
		}
		value := map[string]any{"type": b.Element["type"]}
		if b.Element["type"] == "static_select" {
			value["selected_option"] = map[string]any{"value": values[id]}
		} else {
			value["value"] = values[id]
		}
		state[b.BlockID] = map[string]any{id: value}
	}
	return json.Marshal(map[string]any{
		"type": "view_submission", "user": s.user(user), "team": map[string]string{"id": "T0"}, "api_app_id": "A0", "token": "legacy", "trigger_id": s.trigger(),
		"view": map[string]any{
			"id": v.ID, "type": "modal", "callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata,
			"state": map[string]any{"values": state}, "blocks": v.Blocks,
		},
	})
}

// openView is views.open.
func (s *Server) openView(body json.RawMessage) answer {
	var q struct {
		TriggerID string          `json:"trigger_id"`
		View      json.RawMessage `json:"view"`
	}
	if json.Unmarshal(body, &q) != nil {
		return answer{code: "invalid_arguments"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.mu.triggers[q.TriggerID]
	delete(s.mu.triggers, q.TriggerID)
	switch {
	case !ok:
		return answer{code: "exchanged_trigger_id"}
	case s.cfg.Now().After(until):
		return answer{code: "expired_trigger_id"}
	}
	v, why := s.checkView(q.View)
	if why != "" {
		return answer{code: "invalid_arguments", detail: why}
	}
	s.mu.serial++
	v.ID = fmt.Sprintf("V%d", s.mu.serial)
	s.mu.views = append(s.mu.views, v)
	return answer{more: map[string]any{"view": map[string]any{"id": v.ID, "type": "modal"}}}
}
