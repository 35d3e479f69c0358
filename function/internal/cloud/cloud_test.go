package cloud_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/offline"
)

func TestMain(m *testing.M) {
	offline.Guard()
	os.Exit(m.Run())
}

// answer is an HTTP client that gives every request the same answer.
type answer struct {
	status int
	header map[string]string
	body   string
	err    error
}

func (a answer) Do(r *http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r}, nil
}

// timeout is what net/http says of a dial or a TLS handshake that took too long.
type timeout struct{ error }

func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// Each form in which AWS, or whatever stands between, can answer a ListRules request comes to its reason.
func TestReasonOfAnAnswer(t *testing.T) {
	const user = "User: arn:aws:sts::123456789012:assumed-role/auditor/x is not authorized to perform: events:ListRules on resource: arn:aws:events:eu-west-1:123456789012:rule/* "
	for _, test := range []struct {
		name   string
		answer answer
		reason audit.Reason
		detail string
	}{
		{"throttled", answer{status: 400, body: `{"__type":"ThrottlingException","message":"Rate exceeded"}`}, audit.Throttled, "events:ListRules: still throttled after 3 attempts (ThrottlingException)"},
		{"429 without a body", answer{status: 429}, audit.Throttled, "events:ListRules: still throttled"},
		{"no policy allows it", answer{status: 400, body: `{"__type":"AccessDeniedException","Message":"` + user + `because no identity-based policy allows the events:ListRules action"}`},
			audit.AccessDenied, "no permission for events:ListRules: no identity-based policy allows the events:ListRules action"},
		{"a boundary", answer{status: 400, body: `{"__type":"AccessDeniedException","Message":"` + user + `because no permissions boundary allows the events:ListRules action"}`},
			audit.AccessDenied, "no permission for events:ListRules: no permissions boundary allows the events:ListRules action"},
		{"an explicit deny of an identity policy", answer{status: 400, body: `{"__type":"AccessDeniedException","Message":"` + user + `with an explicit deny in an identity-based policy"}`},
			audit.AccessDenied, "no permission for events:ListRules: an explicit deny in an identity-based policy"},
		{"the code in a header", answer{status: 403, header: map[string]string{"X-Amzn-Errortype": "AccessDeniedException:http://internal.amazon.com/coral/"}, body: `{"message":"no"}`},
			audit.AccessDenied, "no permission for events:ListRules"},
		{"an SCP", answer{status: 400, body: `{"__type":"AccessDeniedException","Message":"` + user + `with an explicit deny in a service control policy"}`},
			audit.DeniedBySCP, "a service control policy denies events:ListRules"},
		{"an SCP with its ARN", answer{status: 400, body: `{"__type":"AccessDeniedException","Message":"` + user + `with an explicit deny in a service control policy: arn:aws:organizations::111122223333:policy/o-exampleorgid/service_control_policy/p-12345678"}`},
			audit.DeniedBySCP, "a service control policy denies events:ListRules (arn:aws:organizations::111122223333:policy/o-exampleorgid/service_control_policy/p-12345678)"},
		{"token refused", answer{status: 400, body: `{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token included in the request is invalid."}`},
			audit.InvalidCredentials, "events:ListRules: the token was refused (UnrecognizedClientException)"},
		{"token expired", answer{status: 400, body: `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`},
			audit.InvalidCredentials, "events:ListRules: the credentials have expired (ExpiredTokenException)"},
		{"wrong secret", answer{status: 400, body: `{"__type":"InvalidSignatureException","message":"The request signature we calculated does not match"}`},
			audit.InvalidCredentials, "events:ListRules: the signature was refused (InvalidSignatureException)"},
		{"internal failure", answer{status: 500, body: `{"__type":"InternalException","message":"boom\u001b[2J\nall is well"}`}, audit.ServiceError, "events:ListRules: InternalException (HTTP 500) boom [2J all is well"},
		{"a proxy's page", answer{status: 503, header: map[string]string{"Content-Type": "text/html"}, body: "<html>busy</html>"}, audit.ServiceError, "events:ListRules: "},
		{"a portal's page", answer{status: 200, header: map[string]string{"Content-Type": "text/html"}, body: "<html>log in first</html>"}, audit.ServiceError, "events:ListRules: the answer could not be understood"},
		{"cut off JSON", answer{status: 200, body: `{"Rules":[{"Name":"nightly","State":"ENAB`}, audit.ServiceError, "events:ListRules: the answer could not be understood"},
		{"another type", answer{status: 200, body: `{"Rules":"none"}`}, audit.ServiceError, "events:ListRules: the answer could not be understood"},
		{"dial timeout", answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: timeout{errors.New("i/o timeout")}}}, audit.Unreachable, "events:ListRules: no connection within 2s"},
		{"TLS handshake timeout", answer{err: timeout{errors.New("net/http: TLS handshake timeout")}}, audit.Unreachable, "events:ListRules: no connection within 2s"},
		{"no DNS", answer{err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "events.eu-west-1.amazonaws.com", IsNotFound: true}}}, audit.Unreachable, "no such host: events.eu-west-1.amazonaws.com"},
		{"cut", answer{err: io.ErrUnexpectedEOF}, audit.Unreachable, "events:ListRules: connection failed: unexpected EOF"},
		{"no route", answer{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}}, audit.Unreachable, "events:ListRules: connection failed: no route to host"},
		{"a certificate of nobody's", answer{err: x509.UnknownAuthorityError{}}, audit.Unreachable, "events:ListRules: no trusted TLS connection"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := cloud.OpenStatic(cloud.Static{HTTPClient: test.answer, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := s.Inspect(ctx, audit.Candidate{Scope: audit.Scope{Account: "123456789012", Region: "eu-west-1"}, OptIn: audit.OptInEnabled}, audit.Conformity)
				var failure *audit.Failure
				if !errors.As(err, &failure) {
					t.Fatalf("got %v, want a Failure", err)
				}
				if failure.Reason != test.reason || !strings.HasPrefix(failure.Detail, test.detail) || strings.ContainsAny(failure.Detail, "\n\r\x1b") {
					t.Errorf("got %s %q, want %s %q", failure.Reason, failure.Detail, test.reason, test.detail)
				}
			})
		})
	}
}

// A connection that never comes about is not a region that answers too late.
func TestASilentPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // accepts nothing: the kernel completes the connection, and then nothing comes
	t.Setenv("AWS_ENDPOINT_URL", "https://"+listener.Addr().String())
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	s, err := cloud.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.Inspect(ctx, audit.Candidate{Scope: audit.Scope{Region: "eu-west-1"}}, audit.Conformity)
	var failure *audit.Failure
	if !errors.As(err, &failure) || failure.Reason != audit.Timeout {
		t.Errorf("got %v, want TIMEOUT", err)
	}
}

func TestParseIdentity(t *testing.T) {
	id, err := cloud.ParseIdentity("arn:aws-cn:lambda:cn-north-1:123456789012:function:auditor")
	if err != nil || id.Account != "123456789012" || id.Partition != "aws-cn" {
		t.Errorf("%+v, %v", id, err)
	}
	if id, err := cloud.ParseIdentity("auditor"); err == nil || id.Account != "" {
		t.Errorf("%+v, %v", id, err)
	}
}
