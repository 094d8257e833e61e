// Command gosdk is an application under the OpenTelemetry Go SDK: traces of four spans whose prompt stands on the render span, and
// scores as log records. It is a module of its own, so that driftd does not depend on the SDK.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var (
	endpoint = flag.String("endpoint", "127.0.0.1:4317", "of the Collector's OTLP receiver, gRPC")
	prompt   = flag.String("prompt", "refund_handler", "`name` of the prompt")
	version  = flag.String("version", "v18", "of the prompt")
	spread   = flag.Int("spread", 1, "`number` of prompts, named by a number behind a dot, and of their versions, that traces take in turn; 1 is the one as it is")
	traces   = flag.Int("traces", 1, "`number` of traces, each with one score")
	over     = flag.Duration("over", 0, "`time` that the traces are spread over")
	disorder = flag.Float64("disorder", 0, "`share` of spans and of scores that are sent late, or scores before their span")
	judges   = flag.String("judges", "ids", "how scores name what they are about, in turn, by comma: ids, response (the model's response id alone), link (a span of the judge's with a link)")
	held     = flag.Duration("held", 2*time.Second, "longest `time` that a span or score of these is held back")
)

// sent is what the program tells on standard output.
type sent struct {
	Spans, Calls, Scores, Held int
	Versions                   map[string]string
}

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(*endpoint), otlptracegrpc.WithInsecure())
	if err != nil {
		return fmt.Errorf("make trace exporter: %w", err)
	}
	logs, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(*endpoint), otlploggrpc.WithInsecure())
	if err != nil {
		return fmt.Errorf("make log exporter: %w", err)
	}
	res := resource.NewSchemaless(attribute.String("service.name", "refunds"), attribute.String("deployment.environment.name", "production"))
	late := &holder{next: sdktrace.NewBatchSpanProcessor(spans, sdktrace.WithBatchTimeout(200*time.Millisecond), sdktrace.WithMaxQueueSize(1<<20))}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSpanProcessor(late))
	logging := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs, sdklog.WithExportInterval(200*time.Millisecond), sdklog.WithMaxQueueSize(1<<20))))
	a := &app{tracer: tracing.Tracer("refunds"), logger: logging.Logger("judge"), chance: rand.New(rand.NewPCG(1, 2))}

	tick := *over / time.Duration(max(*traces, 1))
	for i := range *traces {
		a.handle(ctx, i)
		if tick > 0 {
			time.Sleep(tick)
		}
	}
	a.late.wait()
	held := late.drain()
	for _, stop := range []func(context.Context) error{tracing.Shutdown, logging.Shutdown} {
		if err := stop(ctx); err != nil {
			return fmt.Errorf("send what is left: %w", err)
		}
	}
	a.Held += held
	a.Versions = versions()
	return json.NewEncoder(os.Stdout).Encode(a.sent)
}

// app is the application. It is used by one goroutine, but for scores that are sent late.
type app struct {
	sent
	tracer trace.Tracer
	logger otellog.Logger
	chance *rand.Rand
	late   timers
}

// named are the prompt and version of a trace. Each prompt gets as many versions as there are prompts.
func named(i int) (string, string) {
	if *spread == 1 {
		return *prompt, *version
	}
	return fmt.Sprintf("%s.%d", *prompt, i%*spread), fmt.Sprintf("%s.%d", *version, i / *spread % *spread)
}

// handle serves one request.
func (a *app) handle(ctx context.Context, i int) {
	prompt, version := named(i)
	ctx, root := a.tracer.Start(ctx, "handle refund", trace.WithSpanKind(trace.SpanKindServer))
	_, render := a.tracer.Start(ctx, "prompt.template.render", trace.WithAttributes(
		attribute.String("prompt.name", prompt), attribute.String("prompt.sha", "b1d7e4"), attribute.String("prompt.version", version),
		attribute.String("prompt.tier", "enterprise"), attribute.String("prompt.locale", "de"),
	))
	render.End()

	begin := time.Now()
	callCtx, call := a.tracer.Start(ctx, "chat gpt-4o", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(begin), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", "gpt-4o"), attribute.String("gen_ai.response.model", "gpt-4o-2024-08-06"),
		attribute.String("gen_ai.response.id", responseID(root)),
		attribute.Int("gen_ai.usage.input_tokens", 1200+i%100), attribute.Int("gen_ai.usage.output_tokens", 180),
		attribute.Float64("gen_ai.usage.cost", 0.0028),
	))
	early := a.hold()
	if early {
		a.score(callCtx, i)
	}
	call.End(trace.WithTimestamp(begin.Add(5 * time.Millisecond)))

	_, parse := a.tracer.Start(ctx, "output.parse")
	parse.End()
	root.End()
	a.Spans += 4
	a.Calls++
	a.Scores++

	switch {
	case early:
		a.Held++
	case a.hold():
		a.Held++
		a.late.after(a.pause(), func() { a.score(callCtx, i) })
	default:
		a.score(callCtx, i)
	}
}

// hold tells whether the next of something is to be out of order.
func (a *app) hold() bool { return a.chance.Float64() < *disorder/2 }

func (a *app) pause() time.Duration { return time.Duration(a.chance.Int64N(int64(*held))) }

// responseID is the id that the model's provider gave its response.
func responseID(s trace.Span) string { return "chatcmpl-" + s.SpanContext().TraceID().String()[:12] }

// score writes what a judge makes of the call of trace i, whose span is in ctx.
func (a *app) score(ctx context.Context, i int) {
	result := []attribute.KeyValue{
		attribute.String("gen_ai.evaluation.name", "citation_grounding"), attribute.Float64("gen_ai.evaluation.score.value", 0.91),
		attribute.String("gen_ai.evaluation.score.label", "pass"), attribute.String("gen_ai.evaluation.explanation", "Grounded in the receipt"),
	}
	ways := strings.Split(*judges, ",")
	switch way := ways[i%len(ways)]; way {
	case "link":
		_, judge := a.tracer.Start(context.Background(), "judge", trace.WithLinks(trace.LinkFromContext(ctx)), trace.WithAttributes(result...))
		judge.End()
		return
	case "response":
		result = append(result, attribute.String("gen_ai.response.id", responseID(trace.SpanFromContext(ctx))))
		ctx = context.Background()
	}
	var r otellog.Record
	now := time.Now()
	r.SetEventName("gen_ai.evaluation.result")
	r.SetTimestamp(now)
	r.SetObservedTimestamp(now)
	r.AddAttributes(result...)
	a.logger.Emit(ctx, r)
}
