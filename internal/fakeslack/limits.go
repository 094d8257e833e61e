package fakeslack

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf16"
)

// Limits as documented at docs.slack.dev (Block Kit reference, chat.postMessage).
const (
	maxBlocks      = 50
	maxSection     = 3000
	maxHeader      = 150
	maxFields      = 10
	maxField       = 2000
	maxElements    = 10
	maxText        = 40000
	maxAttachments = 100
	maxBlockID     = 255
	maxURL         = 3000

	maxButtons   = 25
	maxLabel     = 75 // of a button or an option
	maxValue     = 2000
	maxActionID  = 255
	maxOption    = 150 // value of an option
	maxOptions   = 100
	maxAlt       = 2000
	maxViewTitle = 24
	maxView      = 100 // blocks of a dialog
	maxMetadata  = 3000

	maxMessageMetadata = 8000
)

type textObject struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji"`
}

type block struct {
	Type     string            `json:"type"`
	BlockID  string            `json:"block_id"`
	Text     *textObject       `json:"text"`
	Fields   []textObject      `json:"fields"`
	Elements []json.RawMessage `json:"elements"`

	AltText   string      `json:"alt_text"`
	ImageURL  string      `json:"image_url"`
	SlackFile *slackFile  `json:"slack_file"`
	Label     *textObject `json:"label"`
	Element   *element    `json:"element"`
}

type slackFile struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

type attachment struct {
	Color    string          `json:"color"`
	Fallback string          `json:"fallback"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks"`
}

// length counts as JavaScript does, in UTF-16 units, which is the stricter reading of Slack's "characters".
func length(s string) int { return len(utf16.Encode([]rune(s))) }

// checkMessage returns Slack's error code for a message that it would not take, and a sentence that says why.
func (s *Server) checkMessage(text string, blocks, attachments json.RawMessage) (code, detail string) {
	if length(text) > maxText {
		return "msg_too_long", fmt.Sprintf("text has %d characters", length(text))
	}
	n, code, detail := s.checkBlocks(blocks, maxBlocks)
	if code != "" {
		return code, detail
	}
	var atts []attachment
	if len(attachments) > 0 {
		if json.Unmarshal(attachments, &atts) != nil {
			return "invalid_attachments", "attachments are not a list"
		}
	}
	if len(atts) > maxAttachments {
		return "too_many_attachments", fmt.Sprintf("%d attachments", len(atts))
	}
	for _, a := range atts {
		m, code, detail := s.checkBlocks(a.Blocks, maxBlocks)
		if code != "" {
			return code, detail
		}
		if n += m; n > maxBlocks {
			return "invalid_blocks", "too many blocks with those of the attachments"
		}
	}
	if text == "" && n == 0 && len(atts) == 0 {
		return "no_text", "there is nothing to show"
	}
	return "", ""
}

func (s *Server) checkBlocks(raw json.RawMessage, limit int) (n int, code, detail string) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, "", ""
	}
	var blocks []block
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return 0, "invalid_blocks_format", "blocks are not a list of blocks"
	}
	if len(blocks) > limit {
		return 0, "invalid_blocks", fmt.Sprintf("%d blocks", len(blocks))
	}
	ids := map[string]bool{}
	for i, b := range blocks {
		if b.BlockID != "" && (ids[b.BlockID] || length(b.BlockID) > maxBlockID) {
			return 0, "invalid_blocks", fmt.Sprintf("blocks[%d]: block_id is too long or used twice", i)
		}
		ids[b.BlockID] = true
		if why := s.checkBlock(b, limit == maxView); why != "" {
			return 0, "invalid_blocks", fmt.Sprintf("blocks[%d]: %s", i, why)
		}
	}
	return len(blocks), "", ""
}

// checkBlock says what is wrong with a block; dialog allows what only dialogs have.
func (s *Server) checkBlock(b block, dialog bool) string {
	switch b.Type {
	case "header":
		if b.Text == nil || b.Text.Type != "plain_text" {
			return "a header needs plain_text"
		}
		return s.checkText(*b.Text, maxHeader)
	case "section":
		if b.Text == nil && len(b.Fields) == 0 {
			return "a section needs text or fields"
		}
		if b.Text != nil {
			if why := s.checkText(*b.Text, maxSection); why != "" {
				return why
			}
		}
		if len(b.Fields) > maxFields {
			return fmt.Sprintf("%d fields", len(b.Fields))
		}
		for _, f := range b.Fields {
			if why := s.checkText(f, maxField); why != "" {
				return why
			}
		}
	case "context":
		if len(b.Elements) == 0 || len(b.Elements) > maxElements {
			return fmt.Sprintf("%d elements", len(b.Elements))
		}
		for _, raw := range b.Elements {
			var t textObject
			if json.Unmarshal(raw, &t) != nil {
				return "an element is not an object"
			}
			if t.Type != "image" {
				if why := s.checkText(t, maxSection); why != "" {
					return why
				}
			}
		}
	case "divider":
	case "actions":
		return s.checkActions(b.Elements)
	case "image":
		return s.checkImage(b)
	case "input":
		if !dialog {
			return "an input outside of a dialog"
		}
		return s.checkInput(b)
	default:
		return fmt.Sprintf("unsupported type %q", b.Type)
	}
	return ""
}

func (s *Server) checkText(t textObject, limit int) string {
	switch t.Type {
	case "plain_text":
	case "mrkdwn":
		if t.Emoji != nil {
			return "emoji is for plain_text only"
		}
		if why := s.checkEntities(t.Text); why != "" {
			return why
		}
	default:
		return fmt.Sprintf("unknown text type %q", t.Type)
	}
	if n := length(t.Text); n == 0 || n > limit {
		return fmt.Sprintf("text has %d characters, 1 to %d are allowed", n, limit)
	}
	return ""
}

var mentionForm = regexp.MustCompile(`^(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+))$`)

// checkEntities is stricter than Slack, which shows what it does not understand: every < must open a link or name a person or
// group of the workspace, and no other mention may come out of a name.
func (s *Server) checkEntities(text string) string {
	for {
		i := strings.IndexAny(text, "<>")
		if i < 0 {
			return ""
		}
		end := strings.IndexByte(text[i:], '>')
		if text[i] == '>' || end < 0 {
			return "an angle bracket is not escaped"
		}
		target, _, _ := strings.Cut(text[i+1:i+end], "|")
		if why := s.checkEntity(target); why != "" {
			return why
		}
		text = text[i+end+1:]
	}
}

func (s *Server) checkEntity(target string) string {
	if m := mentionForm.FindStringSubmatch(target); m != nil {
		_, user := s.cfg.Users[m[1]]
		_, group := s.cfg.Groups[m[2]]
		if !user && !group {
			return fmt.Sprintf("%q is nobody here", target)
		}
		return ""
	}
	u, err := url.Parse(strings.ReplaceAll(target, "&amp;", "&"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(target) > maxURL {
		return fmt.Sprintf("%q is not a link", target)
	}
	return ""
}
