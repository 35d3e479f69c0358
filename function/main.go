// The Lambda function: it reads the settings from its environment once, and audits, and mends if it may, on every invocation.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
)

// version is set by the linker.
var version = "dev"

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level(os.Getenv("AWS_LAMBDA_LOG_LEVEL")), ReplaceAttr: lambdaKeys})).With("version", version)
	slog.SetLogLoggerLevel(slog.LevelDebug) // the runtime library repeats each error, in its own form
	slog.SetDefault(log)
	h := &handler{log: log}
	s, err := settings.Read(settings.Environment(os.Environ()))
	if err == nil {
		h.options = reconcile.Options{Action: s.Action, MayChange: s.MayChange, Selection: s.Selection, Audit: s.Audit,
			Remediation: s.Remediation, Notify: s.Notify, Log: log}
		h.options.Audit.Now = time.Now
		h.options.Exceptions, err = exceptions(s.Exceptions)
	}
	if err == nil {
		h.cloud, err = cloud.Open(context.Background())
	}
	if err == nil {
		h.options.Store = h.cloud.Store(s.Store)
	}
	h.broken = err         // told on each invocation, where the failure destination and the alarm see it
	debug.SetGCPercent(50) // a run is short and opens many connections at once: keep its peak small for little CPU
	lambda.Start(h)
}
