package slack

import (
	"errors"
	"fmt"
	"strings"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// lost says that a message cannot be changed any more, however often one tries.
func lost(err error) bool {
	e, ok := errors.AsType[api.SlackErrorResponse](err)
	if !ok {
		return false
	}
	switch e.Err {
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return true
	}
	return false
}

// locked says that a thread takes no replies.
func locked(code string) bool {
	switch code {
	case "thread_not_found", "message_not_found", "cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_thread_only_channel":
		return true
	}
	return false
}

// failure tells the outbox what err means; nil for nil.
func (b *bot) failure(err error) error {
	if err == nil {
		return nil
	}
	f := apiFailure(err, b.cfg.Token)
	if f.Reason == "channel_not_found" || f.Reason == "not_in_channel" {
		f.Trouble, f.Hint = alert.TroubleNotInChannel, "invite the bot to "+b.cfg.Channel
	}
	return f
}

// apiFailure is what an error of the Web API means. The secrets are kept out of it.
func apiFailure(err error, secrets ...string) *alert.Failure {
	if e, ok := errors.AsType[api.SlackErrorResponse](err); ok {
		f := codeFailure(outbound.Redact(e.Err, secrets...))
		if len(e.ResponseMetadata.Messages) > 0 {
			f.Err = errors.New(outbound.Redact(strings.Join(e.ResponseMetadata.Messages, "; "), secrets...))
		}
		if needed := outbound.Excerpt([]byte(outbound.Redact(e.Needed, secrets...))); e.Err == "missing_scope" && needed != "" {
			f.Hint = "give the bot the scope " + needed + " and install the app anew"
		}
		return f
	}
	if e, ok := errors.AsType[*api.RateLimitedError](err); ok {
		return &alert.Failure{Kind: alert.Unavailable, Trouble: alert.TroubleRateLimited, Reason: "ratelimited", After: e.RetryAfter}
	}
	if e, ok := errors.AsType[api.StatusCodeError](err); ok {
		return &alert.Failure{Kind: alert.Unavailable, Reason: fmt.Sprintf("Slack answered %d", e.Code)}
	}
	return alert.Unanswered("no answer from Slack", err, errors.New(outbound.Redact(outbound.Hide(err).Error(), secrets...)))
}

// codeFailure says what an error code of Slack means for the next try.
func codeFailure(code string) *alert.Failure {
	f := &alert.Failure{Kind: alert.Blocked, Reason: outbound.Excerpt([]byte(code))}
	switch code {
	case "ratelimited", "rate_limited":
		f.Kind, f.Trouble = alert.Unavailable, alert.TroubleRateLimited
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout",
		"team_added_to_org", "external_channel_migrating", "rollup_error", "timeout_error":
		f.Kind = alert.Unavailable
	case "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_attachments",
		"too_many_attachments", "no_text", "markdown_text_conflict", "invalid_payload":
		f.Kind, f.Hint = alert.Unsendable, "shorten labels and annotations of the rule"
	case "thread_not_found", "message_not_found", "cannot_reply_to_message":
		f.Kind = alert.Unsendable
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		f.Trouble, f.Hint = alert.TroubleCredentials, "the bot's token is not valid any more: install the app anew and set token"
	case "missing_scope", "not_allowed_token_type", "no_permission":
		f.Trouble, f.Hint = alert.TroubleRights, "give the bot the scope chat:write and install the app anew"
	case "is_archived", "channel_is_archived":
		f.Trouble, f.Hint = alert.TroubleArchived, "unarchive the channel, or set channel to another"
	case "restricted_action", "restricted_action_read_only_channel", "ekm_access_denied", "team_access_not_granted":
		f.Trouble, f.Hint = alert.TroubleRights, "an admin of the workspace must let the bot post there"
	case "no_service", "no_active_hooks", "no_team", "invalid_token", "action_prohibited", "user_not_found":
		f.Trouble, f.Hint = alert.TroubleAddress, "make a new incoming webhook and set webhook_url"
	}
	return f
}
