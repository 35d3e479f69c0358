// Package cloud is the adapter to AWS and the only importer of the AWS SDK: sessions, the region list, the rules of a
// scope, publishing, and the one place where an AWS error becomes a reason. No SDK type leaves it. It decides nothing.
package cloud

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// HTTPClient sends one request. *http.Client is one; so is a simulated AWS.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Session makes every client, for whatever region, on one shared HTTP client. It is safe for concurrent use.
type Session struct {
	cfg       aws.Config
	transport interface{ CloseIdleConnections() } // nil where the HTTP client is not ours
	timeout   time.Duration
}

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
	s := newSession(cfg, accountTimeout)
	if c, ok := cfg.HTTPClient.(interface{ CloseIdleConnections() }); ok {
		s.transport = c
	}
	return s, nil
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
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(r *retry.StandardOptions) {
				if o.MaxBackoff > 0 {
					r.MaxBackoff = o.MaxBackoff
				}
			})
		},
	}
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
	cfg.HTTPClient = counting{cfg.HTTPClient}
	return &Session{cfg: cfg, timeout: timeout}
}

// Close drops idle connections. A Lambda function calls it at the end of a run: a connection does not live through the
// freeze between two runs.
func (s *Session) Close() {
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
}

// counting adds every request, retries included, to the counter that the request's context carries.
type counting struct{ HTTPClient }

func (c counting) Do(r *http.Request) (*http.Response, error) {
	if n, ok := r.Context().Value(counterKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	return c.HTTPClient.Do(r)
}

type counterKey struct{}

func withCounter(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, counterKey{}, n), n
}
