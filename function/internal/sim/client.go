package sim

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Client reaches a world in process: no socket, no port, no goroutine, so that
// it also works inside a testing/synctest bubble. It stands in for an
// *http.Client (aws.Config.HTTPClient) and for an [http.RoundTripper], and may
// be used by many goroutines at once.
type Client struct{ world *World }

// Client returns a client of the world.
func (w *World) Client() *Client { return &Client{w} }

// Do answers a request the way net/http would: with a response, or with a
// *url.Error that wraps what went wrong. A request whose context ends gets the
// context's error.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	method, address := req.Method, ""
	if method == "" {
		method = http.MethodGet
	}
	if req.URL != nil {
		address = req.URL.Redacted()
	}
	return nil, &url.Error{Op: method[:1] + strings.ToLower(method[1:]), URL: address, Err: err}
}

// RoundTrip is Do without the *url.Error.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if req.URL == nil {
		return nil, errors.New("request without a URL")
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	seen := req
	if seen.Header == nil {
		seen = req.Clone(req.Context())
		seen.Header = http.Header{}
	}
	rep, err := c.world.handle(req.Context(), seen)
	var broken breakage
	if errors.As(err, &broken) {
		return nil, networkError(broken, req.URL)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: strconv.Itoa(rep.status) + " " + http.StatusText(rep.status), StatusCode: rep.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rep.header, ContentLength: int64(len(rep.body)),
		Body: io.NopCloser(bytes.NewReader(rep.body)), Request: req,
	}, nil
}

// networkError is what the net package reports for a broken connection.
func networkError(kind breakage, u *url.URL) error {
	switch string(kind) {
	case NoDNS:
		return &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: u.Hostname(), IsNotFound: true}}
	case Refuse:
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}
