package consumer

// kinds says of what producers call a span whether it is a model call. Those that are not repeat the figures of the calls
// below them; embeddings are made of queries and documents, not of prompts, and would take the prompt of the answer that they are
// fetched for. A word that does not stand here decides nothing.
var kinds = map[string]bool{
	// gen_ai.operation.name
	"chat": true, "text_completion": true, "generate_content": true, "embeddings": false,
	"invoke_agent": false, "create_agent": false, "execute_tool": false, "invoke_workflow": false, "retrieval": false,

	// openinference.span.kind, and FutureAGI's after it
	"LLM": true, "EMBEDDING": false,
	"AGENT": false, "CHAIN": false, "TOOL": false, "RETRIEVER": false, "RERANKER": false, "GUARDRAIL": false, "EVALUATOR": false,
	"PROMPT": false, "WORKFLOW": false, "CONVERSATION": false,

	// langfuse.observation.type, traceloop.span.kind, llm.request.type, langwatch.span.type, langsmith.span.kind, ag.type.node,
	// type of braintrust.span_attributes
	"generation": true, "embedding": false, "completion": true, "llm": true,
	"span": false, "event": false, "agent": false, "chain": false, "tool": false, "retriever": false, "evaluator": false, "guardrail": false,
	"workflow": false, "task": false, "rerank": false, "rag": false, "component": false, "module": false, "server": false, "prompt": false,
	"parser": false, "evaluation": false, "query": false, "function": false, "score": false, "eval": false,

	// mlflow.spanType
	"CHAT_MODEL": true, "PARSER": false, "MEMORY": false, "TASK": false,

	// ai.operationId
	"ai.generateText.doGenerate": true, "ai.streamText.doStream": true, "ai.generateObject.doGenerate": true, "ai.streamObject.doStream": true,
	"ai.embed.doEmbed": false, "ai.embedMany.doEmbed": false,
	"ai.generateText": false, "ai.streamText": false, "ai.generateObject": false, "ai.streamObject": false, "ai.embed": false, "ai.embedMany": false,
	"ai.toolCall": false,
}

// kind is of what says which spans are model calls.
var kind = &conversion{"says whether the span is a model call", func(s *Set, v *Value, _ int64) (Value, bool) {
	return s.kindOf(v.Text)
}}

// jsonKind is kind of an object's type.
var jsonKind = &conversion{"JSON object: type says whether the span is a model call", func(s *Set, v *Value, _ int64) (Value, bool) {
	t, ok := s.member(v, false, "", "type")
	if !ok {
		return Value{}, false
	}
	return s.kindOf(t.Text)
}}

func (s *Set) kindOf(text []byte) (Value, bool) {
	if string(text) != s.word || s.word == "" { // most often it is the same again
		word := text
		if n := len(word); n > 1 && word[0] == '"' && word[n-1] == '"' { // MLflow writes JSON
			word = word[1 : n-1]
		}
		call, known := kinds[string(word)]
		if !known {
			return Value{}, false
		}
		s.word, s.call = string(text), call
	}
	if s.call {
		return Value{Type: Bool, Int: 1}, true
	}
	return Value{Type: Bool}, true
}
