package fakeslack

import (
	"encoding/json"
	"fmt"
)

// element is what people press or fill in.
type element struct {
	Type        string      `json:"type"`
	ActionID    string      `json:"action_id"`
	Text        *textObject `json:"text"`
	Value       string      `json:"value"`
	Style       *string     `json:"style"`
	Confirm     *confirm    `json:"confirm"`
	Options     []option    `json:"options"`
	Initial     *option     `json:"initial_option"`
	Placeholder *textObject `json:"placeholder"`
	MaxLength   int         `json:"max_length"`
}

type confirm struct {
	Title   *textObject `json:"title"`
	Text    *textObject `json:"text"`
	Confirm *textObject `json:"confirm"`
	Deny    *textObject `json:"deny"`
	Style   string      `json:"style"`
}

type option struct {
	Text  *textObject `json:"text"`
	Value string      `json:"value"`
}

// plain checks a text that must be plain_text.
func (s *Server) plain(what string, t *textObject, limit int) string {
	if t == nil || t.Type != "plain_text" {
		return what + " needs plain_text"
	}
	if why := s.checkText(*t, limit); why != "" {
		return what + ": " + why
	}
	return ""
}

// first is the first of them that says something.
func first(whys ...string) string {
	for _, why := range whys {
		if why != "" {
			return why
		}
	}
	return ""
}

func (s *Server) checkActions(elements []json.RawMessage) string {
	if len(elements) == 0 || len(elements) > maxButtons {
		return fmt.Sprintf("%d buttons", len(elements))
	}
	seen := map[string]bool{}
	for _, raw := range elements {
		var e element
		if json.Unmarshal(raw, &e) != nil || e.Type != "button" {
			return "an element is no button"
		}
		if seen[e.ActionID] || length(e.ActionID) > maxActionID {
			return "an action_id is too long or used twice"
		}
		seen[e.ActionID] = true
		if length(e.Value) > maxValue {
			return "a button's value is too long"
		}
		if e.Style != nil && *e.Style != "primary" && *e.Style != "danger" {
			return fmt.Sprintf("a button's style cannot be %q", *e.Style)
		}
		if why := first(s.plain("a button", e.Text, maxLabel), s.checkConfirm(e.Confirm)); why != "" {
			return why
		}
	}
	return ""
}

func (s *Server) checkConfirm(c *confirm) string {
	if c == nil {
		return ""
	}
	if c.Style != "" && c.Style != "primary" && c.Style != "danger" {
		return fmt.Sprintf("a confirm's style cannot be %q", c.Style)
	}
	return first(s.plain("confirm.title", c.Title, 100), s.plain("confirm.text", c.Text, 300),
		s.plain("confirm.confirm", c.Confirm, 30), s.plain("confirm.deny", c.Deny, 30))
}

func (s *Server) checkImage(b block) string {
	if n := length(b.AltText); n == 0 || n > maxAlt {
		return fmt.Sprintf("alt_text has %d characters", n)
	}
	if (b.ImageURL == "") == (b.SlackFile == nil) {
		return "an image needs one of image_url and slack_file"
	}
	if b.SlackFile != nil {
		if f := s.file(b.SlackFile.ID); f == nil || !f.Complete {
			return "invalid slack file"
		}
	}
	return ""
}

// checkInput checks an input of a dialog.
func (s *Server) checkInput(b block) string {
	e := b.Element
	if e == nil {
		return "an input has no element"
	}
	if why := s.plain("a label", b.Label, maxValue); why != "" {
		return why
	}
	switch e.Type {
	case "plain_text_input":
		if e.MaxLength < 0 || e.MaxLength > 3000 {
			return "max_length is 0 to 3000"
		}
	case "static_select":
		if len(e.Options) == 0 || len(e.Options) > maxOptions {
			return fmt.Sprintf("%d options", len(e.Options))
		}
		for _, o := range e.Options {
			if why := s.plain("an option", o.Text, maxLabel); why != "" {
				return why
			}
			if n := length(o.Value); n == 0 || n > maxOption {
				return "an option's value has 1 to 150 characters"
			}
		}
	default:
		return fmt.Sprintf("unsupported element %q", e.Type)
	}
	return ""
}

// checkView says what is wrong with a dialog.
func (s *Server) checkView(raw json.RawMessage) (View, string) {
	var v struct {
		Type            string          `json:"type"`
		Title           *textObject     `json:"title"`
		Submit          *textObject     `json:"submit"`
		Close           *textObject     `json:"close"`
		Blocks          json.RawMessage `json:"blocks"`
		CallbackID      string          `json:"callback_id"`
		PrivateMetadata string          `json:"private_metadata"`
	}
	if json.Unmarshal(raw, &v) != nil || v.Type != "modal" {
		return View{}, "not a modal"
	}
	if why := first(s.plain("title", v.Title, maxViewTitle), s.plain("submit", v.Submit, maxViewTitle), s.plain("close", v.Close, maxViewTitle)); why != "" {
		return View{}, why
	}
	if length(v.PrivateMetadata) > maxMetadata || length(v.CallbackID) > maxActionID {
		return View{}, "private_metadata or callback_id is too long"
	}
	n, code, detail := s.checkBlocks(v.Blocks, maxView)
	if code != "" || n == 0 {
		return View{}, "blocks: " + code + " " + detail
	}
	return View{CallbackID: v.CallbackID, PrivateMetadata: v.PrivateMetadata, Blocks: v.Blocks}, ""
}
