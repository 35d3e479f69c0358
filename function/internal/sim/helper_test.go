package sim_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

const topicARN = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"

// config is an SDK configuration whose every request ends in the world. It
// never retries, so that one call is one request.
func config(w *sim.World, region string) aws.Config {
	return aws.Config{
		Region: region, HTTPClient: w.Client(), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
		}),
	}
}

func eventsIn(w *sim.World, region string) *eventbridge.Client {
	return eventbridge.NewFromConfig(config(w, region))
}
func snsIn(w *sim.World, region string) *sns.Client { return sns.NewFromConfig(config(w, region)) }
func accountOf(w *sim.World) *account.Client {
	return account.NewFromConfig(config(w, "us-east-1"))
}
func ec2In(w *sim.World, region string) *ec2.Client { return ec2.NewFromConfig(config(w, region)) }
func stsIn(w *sim.World, region string) *sts.Client { return sts.NewFromConfig(config(w, region)) }

// serve puts the world behind a loopback server and returns a configuration
// that reaches it there.
func serve(t *testing.T, w *sim.World, region string) aws.Config {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	cfg := config(w, region)
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{}}
	cfg.BaseEndpoint = aws.String(server.URL)
	return cfg
}

func newWorld(t *testing.T, s sim.Scenario) *sim.World {
	t.Helper()
	w, err := sim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func loadWorld(t *testing.T, name string) *sim.World {
	t.Helper()
	s, err := sim.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, s)
}

// code is an error's AWS code, "" for no error, and the error itself for
// anything that is no AWS error.
func code(err error) string {
	var apiErr smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &apiErr):
		return apiErr.ErrorCode()
	}
	return err.Error()
}

func message(err error) string {
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		return apiErr.ErrorMessage()
	}
	return ""
}

func wantCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: code %q, want %q (%v)", what, got, want, err)
	}
}
