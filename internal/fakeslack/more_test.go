package fakeslack

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

// code is Slack's error code of an error, "ok" for none.
func code(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func client(url string) *slack.Client { return slack.New("xoxb-1", slack.OptionAPIURL(url+"/api/")) }

func TestThreads(t *testing.T) {
	s, url := start(t, Config{})
	api := client(url)
	post := func(options ...slack.MsgOption) (string, string) {
		_, ts, err := api.PostMessageContext(t.Context(), "C1", append(options, slack.MsgOptionText("x", false))...)
		return ts, code(err)
	}
	ts, _ := post()
	if _, got := post(slack.MsgOptionTS(ts), slack.MsgOptionBroadcast()); got != "ok" {
		t.Error(got)
	}
	if _, got := post(slack.MsgOptionTS("1.2")); got != "thread_not_found" {
		t.Error("a reply to nothing:", got)
	}
	if _, got := post(slack.MsgOptionBroadcast()); got != "invalid_arguments" {
		t.Error("a broadcast without a thread:", got)
	}
	if rs := s.Replies(ts); len(rs) != 1 || !rs[0].Broadcast || len(s.Messages()) != 1 {
		t.Errorf("replies %+v", rs)
	}
	s.Kick("C1", true)
	if _, got := post(); got != "not_in_channel" {
		t.Error(got)
	}
}

// chat.update keeps attachments of which nothing is said, and takes blocks away where there is a text alone.
func TestUpdateKeepsWhatIsNotSaid(t *testing.T) {
	s, url := start(t, Config{})
	api := client(url)
	section := slack.NewSectionBlock(plainText(3), nil, nil)
	_, ts, err := api.PostMessageContext(t.Context(), "C1", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(section), slack.MsgOptionAttachments(slack.Attachment{Text: "a"}))
	if err != nil {
		t.Fatal(err)
	}
	f := func(blocks, attachments bool, options ...slack.MsgOption) {
		t.Helper()
		if _, _, _, err := api.UpdateMessageContext(t.Context(), "C1", ts, options...); err != nil {
			t.Fatal(err)
		}
		if m := s.Messages()[0]; (m.Blocks != nil) != blocks || (m.Attachments != nil) != attachments {
			t.Errorf("blocks %s, attachments %s", m.Blocks, m.Attachments)
		}
	}
	f(true, true, slack.MsgOptionBlocks(section))
	f(false, true, slack.MsgOptionText("y", false))
	f(true, false, slack.MsgOptionText("y", false), slack.MsgOptionBlocks(section), slack.MsgOptionAttachments([]slack.Attachment{}...), slack.MsgOptionAttachments(append([]slack.Attachment{}, []slack.Attachment{}...)...))
}

func TestScopes(t *testing.T) {
	_, url := start(t, Config{Scopes: []string{"chat:write"}, Groups: map[string][]string{"S1": {"U1"}}})
	_, err := client(url).GetUserGroupMembersContext(t.Context(), "S1")
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); !ok || e.Err != "missing_scope" || e.Needed != "usergroups:read" || e.Provided != "chat:write" {
		t.Errorf("%+v", err)
	}
	_, url = start(t, Config{Groups: map[string][]string{"S1": {"U1"}}})
	if users, err := client(url).GetUserGroupMembersContext(t.Context(), "S1"); err != nil || len(users) != 1 {
		t.Error(users, err)
	}
	if _, err := client(url).GetUserGroupMembersContext(t.Context(), "S2"); code(err) != "no_such_subteam" {
		t.Error(err)
	}
}

func TestFiles(t *testing.T) {
	s, url := start(t, Config{})
	api := client(url)
	image := func(id string) string {
		b := slack.NewImageBlockSlackFile(&slack.SlackFileObject{ID: id}, "a chart", "", nil)
		_, _, err := api.PostMessageContext(t.Context(), "C1", slack.MsgOptionText("x", false), slack.MsgOptionBlocks(b))
		return code(err)
	}
	if got := image("F0001"); got != "invalid_blocks" {
		t.Error("an image of no file:", got)
	}
	data := []byte("\x89PNG")
	f, err := api.UploadFileContext(t.Context(), slack.UploadFileParameters{Reader: bytes.NewReader(data), FileSize: len(data), Filename: "a.png", Title: "A"})
	if err != nil || f.ID != "F0001" {
		t.Fatal(f, err)
	}
	if got := image("F0001"); got != "ok" {
		t.Error(got)
	}
	if fs := s.Files(); len(fs) != 1 || !bytes.Equal(fs[0].Bytes, data) || fs[0].Title != "A" {
		t.Errorf("files %+v", fs)
	}
	if _, err := api.UploadFileContext(t.Context(), slack.UploadFileParameters{Reader: bytes.NewReader(data), FileSize: 99, Filename: "a.png"}); err == nil {
		t.Error("a file of another length was taken")
	}
}

func TestElements(t *testing.T) {
	_, url := start(t, Config{Users: map[string]string{"U1": "jane"}, Groups: map[string][]string{"S1": nil}})
	api := client(url)
	f := func(name, want string, b slack.Block) {
		t.Helper()
		_, _, err := api.PostMessageContext(t.Context(), "C1", slack.MsgOptionBlocks(b))
		if got := code(err); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	button := func(change func(b *slack.ButtonBlockElement)) slack.Block {
		b := slack.NewButtonBlockElement("a", "v", plainText(75))
		change(b)
		return slack.NewActionBlock("", b)
	}
	dialog := func(title, text, yes int) func(b *slack.ButtonBlockElement) {
		return func(b *slack.ButtonBlockElement) {
			b.Confirm = slack.NewConfirmationBlockObject(plainText(title), plainText(text), plainText(yes), plainText(1))
		}
	}
	f("a button", "ok", button(func(*slack.ButtonBlockElement) {}))
	f("label of 76", "invalid_blocks", button(func(b *slack.ButtonBlockElement) { b.Text = plainText(76) }))
	f("label in mrkdwn", "invalid_blocks", button(func(b *slack.ButtonBlockElement) { b.Text = mrkdwnText("x") }))
	f("value of 2001", "invalid_blocks", button(func(b *slack.ButtonBlockElement) { b.Value = strings.Repeat("x", 2001) }))
	f("action of 256", "invalid_blocks", button(func(b *slack.ButtonBlockElement) { b.ActionID = strings.Repeat("x", 256) }))
	f("style", "invalid_blocks", button(func(b *slack.ButtonBlockElement) { b.Style = "green" }))
	f("confirm", "ok", button(dialog(100, 300, 30)))
	f("confirm's title", "invalid_blocks", button(dialog(101, 300, 30)))
	f("confirm's text", "invalid_blocks", button(dialog(100, 301, 30)))
	f("confirm's button", "invalid_blocks", button(dialog(100, 300, 31)))
	var many []slack.BlockElement
	for i := range 26 {
		many = append(many, slack.NewButtonBlockElement(strings.Repeat("a", i+1), "v", plainText(1)))
	}
	f("25 buttons", "ok", slack.NewActionBlock("", many[:25]...))
	f("26 buttons", "invalid_blocks", slack.NewActionBlock("", many...))
	f("an action twice", "invalid_blocks", slack.NewActionBlock("", many[0], many[0]))
	f("an image without words", "invalid_blocks", slack.NewImageBlock("https://x.example/a.png", "", "", nil))
	f("an input", "invalid_blocks", slack.NewInputBlock("", plainText(1), nil, slack.NewPlainTextInputBlockElement(nil, "a")))
	f("people", "ok", slack.NewSectionBlock(mrkdwnText("<@U1> or <!subteam^S1>"), nil, nil))
	f("nobody", "invalid_blocks", slack.NewSectionBlock(mrkdwnText("<@U2>"), nil, nil))
}

// A dialog can be opened once, and within three seconds of the press.
func TestViews(t *testing.T) {
	now := time.Unix(1763649660, 0)
	s, url := start(t, Config{Now: func() time.Time { return now }, Users: map[string]string{"U1": "jane"}})
	api := client(url)
	trigger := func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.trigger()
	}
	open := func(id string, change func(*slack.ModalViewRequest)) string {
		v := slack.ModalViewRequest{Type: slack.VTModal, Title: plainText(24), Submit: plainText(24), Close: plainText(24), Blocks: slack.Blocks{
			BlockSet: []slack.Block{slack.NewInputBlock("", plainText(1), nil, slack.NewPlainTextInputBlockElement(nil, "a"))}}}
		if change != nil {
			change(&v)
		}
		_, err := api.OpenViewContext(t.Context(), id, v)
		return code(err)
	}
	id := trigger()
	for _, want := range []string{"ok", "exchanged_trigger_id"} {
		if got := open(id, nil); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for name, change := range map[string]func(*slack.ModalViewRequest){
		"title":    func(v *slack.ModalViewRequest) { v.Title = plainText(25) },
		"submit":   func(v *slack.ModalViewRequest) { v.Submit = plainText(25) },
		"metadata": func(v *slack.ModalViewRequest) { v.PrivateMetadata = strings.Repeat("x", 3001) },
		"blocks":   func(v *slack.ModalViewRequest) { v.Blocks.BlockSet = nil },
	} {
		if got := open(trigger(), change); got != "invalid_arguments" {
			t.Errorf("%s: %s", name, got)
		}
	}
	id = trigger()
	now = now.Add(4 * time.Second)
	if got := open(id, nil); got != "expired_trigger_id" {
		t.Error(got)
	}
	if len(s.Views()) != 1 {
		t.Errorf("%d views", len(s.Views()))
	}
}
