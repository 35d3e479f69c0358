package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// handler is the lambda.Handler: event bytes to trigger, record to return value.
type handler struct {
	options reconcile.Options
	cloud   *cloud.Session
	broken  error // why the function cannot run at all
	log     *slog.Logger
}

// Invoke runs once. The run's id is the request's, which Lambda keeps over the retries of an asynchronous invocation, so
// that a receiver can tell a repeated alert.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	o, requestID := h.options, ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lc.AwsRequestID
		o.Fallback, _ = cloud.ParseIdentity(lc.InvokedFunctionArn) // without one, STS must answer
	}
	o.RunID = requestID
	t, err := trigger.Parse(payload, requestID)
	switch {
	case h.broken != nil:
		return nil, h.report(ctx, requestID, h.broken)
	case err != nil:
		return nil, h.report(ctx, requestID, err)
	}
	defer h.cloud.Close()
	r, err := reconcile.Run(ctx, h.cloud, o, t)
	if err != nil {
		return nil, h.report(ctx, requestID, err)
	}
	return json.Marshal(r)
}

// report logs an error where a person looks for it and gives it the form that Lambda hands to the caller and to the
// failure destination, with a type to filter on instead of a Go type's name.
func (h *handler) report(ctx context.Context, requestID string, err error) error {
	kind := "RunFailed"
	var (
		badSettings  *settings.Error
		badPayload   *trigger.PayloadError
		badSelection *audit.SelectionError
		refused      *reconcile.RefusedError
		noRegions    *cloud.RegionListError
		unpublished  *reconcile.PublishError
	)
	switch {
	case errors.As(err, &badSettings):
		kind = "InvalidSettings"
	case errors.As(err, &badPayload):
		kind = "InvalidPayload"
	case errors.As(err, &badSelection):
		kind = "InvalidSelection"
	case errors.As(err, &refused):
		kind = "Refused"
	case errors.As(err, &noRegions):
		kind = "NoRegionList"
	case errors.As(err, &unpublished):
		kind = "NotPublished"
	}
	h.log.ErrorContext(ctx, "run failed", "run_id", requestID, "result", kind, "err", err)
	return messages.InvokeResponse_Error{Type: kind, Message: err.Error()}
}

// exceptions says where the exceptions are. A function has no file of the user's.
func exceptions(setting string) (reconcile.Exceptions, error) {
	switch {
	case setting == "":
		return reconcile.Exceptions{}, nil
	case strings.HasPrefix(setting, "s3://"):
		return reconcile.Exceptions{URL: setting}, nil
	case strings.HasPrefix(strings.TrimSpace(setting), "["):
		return reconcile.Exceptions{JSON: []byte(setting)}, nil
	default:
		return reconcile.Exceptions{}, &settings.Error{Problems: []string{fmt.Sprintf("EXCEPTIONS: want a JSON list, or s3://BUCKET/KEY, got %q", setting)}}
	}
}

// level reads AWS_LAMBDA_LOG_LEVEL, which Lambda sets from the function's logging configuration.
func level(name string) slog.Level {
	switch name {
	case "TRACE", "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR", "FATAL":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// lambdaKeys names the keys as Lambda's JSON logs do, so that its level filter works on them.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
func lambdaKeys(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 {
		switch a.Key {
		case slog.TimeKey:
			a.Key = "timestamp"
		case slog.MessageKey:
			a.Key = "message"
		}
	}
	return a
}
