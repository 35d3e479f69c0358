// Package cloud is the adapter to AWS and the only importer of the AWS SDK: sessions, the region list, the rules of a
// scope, publishing, and the one place where an AWS error becomes a reason. No SDK type leaves it. It decides nothing.
package cloud

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// HTTPClient sends one request. *http.Client is one; so is a simulated AWS.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Session makes every client, for whatever region, on one shared HTTP client. It is safe for concurrent use.
type Session struct {
	cfg       aws.Config
	transport *http.Transport // nil where the HTTP client is not ours
	timeout   time.Duration
	requests  *atomic.Int64
}

// Requests counts the requests of the session, retries included.
func (s *Session) Requests() int { return int(s.requests.Load()) }

const (
	// connectTimeout and tlsTimeout are short so that three attempts on an unreachable region fit the default region
	// timeout, and the region comes out as UNREACHABLE rather than TIMEOUT.
	connectTimeout = 2 * time.Second
	tlsTimeout     = 3 * time.Second
	// idlePerHost is at least the requests that go to one host at once: all accounts of a region share its host.
	idlePerHost = 256
	// accountTimeout bounds each question that is not about a region, retries included: who we are, one source of the
	// region list, publishing. A short region timeout must not keep an alert from getting out.
	accountTimeout = 10 * time.Second
)

// Open makes a session from the SDK's own settings: environment, profile, shared configuration files, role of the
// function. Open sends nothing.
func Open(ctx context.Context) (*Session, error) {
	httpClient := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = tlsTimeout
			t.MaxIdleConns = 0 // no bound of its own: there is one host a region, and idlePerHost holds for each
			t.MaxIdleConnsPerHost = idlePerHost
			t.ForceAttemptHTTP2 = false // one request a connection gains nothing from it
		})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w; see the AWS_… variables and the files ~/.aws/config and ~/.aws/credentials", err)
	}
	if cfg.BaseEndpoint != nil {
		if u, err := url.Parse(*cfg.BaseEndpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("AWS_ENDPOINT_URL: want http://HOST:PORT or https://HOST, got %q", oneLine(*cfg.BaseEndpoint))
		}
	}
	// The SDK's own client keeps its transport to itself; this one's idle connections can be closed.
	transport := httpClient.GetTransport()
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok { // with the certificates of AWS_CA_BUNDLE
		transport = c.GetTransport()
	}
	cfg.HTTPClient = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	cfg.Retryer = retryer(cfg, 0)
	cfg.Logger = logging.Nop{} // it would write lines of its own to standard error; what matters ends in a row or an error
	s := newSession(cfg, accountTimeout)
	s.transport = transport
	return s, nil
}

// retryer is the SDK's own, in the mode and with the attempts that the user set, which also retries a throttle that has no
// error code, and a change of a rule that met another one.
func retryer(cfg aws.Config, maxBackoff time.Duration) func() aws.Retryer {
	standard := func(o *retry.StandardOptions) {
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{"ConcurrentModificationException": {}}})
		o.MaxAttempts = cmp.Or(cfg.RetryMaxAttempts, o.MaxAttempts)
		o.MaxBackoff = cmp.Or(maxBackoff, o.MaxBackoff)
	}
	return func() aws.Retryer {
		if cfg.RetryMode == aws.RetryModeAdaptive {
			return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) { o.StandardOptions = append(o.StandardOptions, standard) })
		}
		return retry.NewStandard(standard)
	}
}

// Static are the settings of a session that reads neither environment nor files.
type Static struct {
	HTTPClient      HTTPClient
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	MaxBackoff      time.Duration // the longest pause before a retry; 0 is the SDK's default
	Timeout         time.Duration // instead of accountTimeout, where it is not 0
}

// OpenStatic makes a session from nothing but its arguments, for simulated accounts.
func OpenStatic(o Static) *Session {
	cfg := aws.Config{
		Region:     o.Region,
		HTTPClient: o.HTTPClient,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: o.AccessKeyID, SecretAccessKey: o.SecretAccessKey, Source: "static"}, nil
		}),
	}
	cfg.Retryer = retryer(cfg, o.MaxBackoff)
	return newSession(cfg, cmp.Or(o.Timeout, accountTimeout))
}

// defaultRegion is asked where the user has set no region: every commercial account has it.
const defaultRegion = "us-east-1"

func newSession(cfg aws.Config, timeout time.Duration) *Session {
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	inner := cfg.Credentials
	cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := inner.Retrieve(ctx)
		if err != nil {
			err = &credentialsError{err}
		}
		return c, err
	})
	// Wrapped, the client is used as it is; the SDK would copy its own type, and with it the connection pool, for every
	// regional client.
	requests := new(atomic.Int64)
	cfg.HTTPClient = counting{cfg.HTTPClient, requests}
	return &Session{cfg: cfg, timeout: timeout, requests: requests}
}

// question bounds a question that is not about a region: by accountTimeout, and by a third of what is left, so that one
// that hangs leaves time for its fallback and for the regions.
func (s *Session) question(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := s.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/3)
	}
	return context.WithTimeout(ctx, timeout)
}

// Close drops idle connections. A Lambda function calls it at the end of a run: a connection does not live through the
// freeze between two runs.
func (s *Session) Close() {
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
}

// counting adds every request, retries included, to the session's counter, and to the one that the request's context may
// carry.
type counting struct {
	HTTPClient
	all *atomic.Int64
}

func (c counting) Do(r *http.Request) (*http.Response, error) {
	c.all.Add(1)
	if n, ok := r.Context().Value(counterKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		resp.Body = cutBody{resp.Body}
	}
	return resp, err
}

// cutBody tells an answer that broke off on the way from one that came whole and makes no sense.
type cutBody struct{ io.ReadCloser }

func (b cutBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &cutError{err}
	}
	return n, err
}

type cutError struct{ err error }

func (e *cutError) Error() string         { return e.err.Error() }
func (e *cutError) Unwrap() error         { return e.err }
func (e *cutError) ConnectionError() bool { return true } // to the SDK: worth a retry

type counterKey struct{}

func withCounter(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, counterKey{}, n), n
}
