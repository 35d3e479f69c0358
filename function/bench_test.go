package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

// roundTrip is a distance between continents.
const roundTrip = 150 * time.Millisecond

// farListener makes every connection as slow as one that is a round trip of 150 ms away: one for the TCP handshake, and
// one for each time that the client waits for an answer.
type farListener struct{ net.Listener }

func (l farListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &farConn{Conn: c, wait: 2 * roundTrip}, nil
}

type farConn struct {
	net.Conn
	mutex sync.Mutex
	wait  time.Duration
}

func (c *farConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.mutex.Lock()
		wait := c.wait
		c.wait = 0
		c.mutex.Unlock()
		time.Sleep(wait)
	}
	return n, err
}

func (c *farConn) Write(p []byte) (int, error) {
	c.mutex.Lock()
	c.wait = roundTrip // what comes next is an answer to this
	c.mutex.Unlock()
	return c.Conn.Write(p)
}

// farAWS serves a simulated account over TLS, far away, and returns its address and the file of its certificate.
func farAWS(tb testing.TB) (url, bundle string) {
	tb.Helper()
	world := must(sim.New(must(sim.Parse([]byte(`{"topics": ["` + topic + `"], "otherRegions": {"optIn": "ENABLED", "buses": {"default": [{"name": "nightly"}]}}}`)))))
	server := httptest.NewUnstartedServer(world)
	server.Listener = farListener{server.Listener}
	certificate := selfSigned()
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that the client gave up before it needed them
	server.StartTLS()
	tb.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	bundle = filepath.Join(tb.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(bundle, block, 0o600); err != nil {
		tb.Fatal(err)
	}
	return server.URL, bundle
}

// selfSigned makes a certificate with an elliptic key: the server shares this machine with what is measured, and with
// httptest's RSA key it would cost more than the client does.
func selfSigned() tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// peakMB is the most memory that a process has held, in MB.
func peakMB(pid int) float64 {
	for line := range strings.Lines(string(must(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))))) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return must(strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 64)) / 1024
		}
	}
	panic("no VmHWM")
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// BenchmarkFanOut compares all regions at once with one region alone, each on a fresh connection. Goal: at most 1.10.
func BenchmarkFanOut(b *testing.B) {
	url, bundle := farAWS(b)
	b.Setenv("AWS_ENDPOINT_URL", url)
	b.Setenv("AWS_CA_BUNDLE", bundle)
	probe := must(cloud.Open(b.Context()))
	list, err := probe.Regions(b.Context(), audit.Identity{Account: "123456789012", Partition: "aws"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	probe.Close()
	all := must(audit.Select(audit.Identity{Account: "123456789012", Partition: "aws"}, list, audit.Selection{}))
	took := func(candidates []audit.Candidate) time.Duration {
		session := must(cloud.Open(b.Context()))
		defer session.Close()
		start := time.Now()
		for _, e := range audit.Run(context.Background(), candidates, session, audit.Options{Policy: audit.Conformity, Concurrency: 64, RegionTimeout: time.Minute, Now: time.Now}) {
			if e.Reason != audit.ActiveRules || e.APICalls != 1 {
				b.Fatalf("%+v", e)
			}
		}
		return time.Since(start)
	}
	took(all[:1]) // warm up
	var ratios []float64
	var wall time.Duration
	for b.Loop() {
		alone := min(took(all[:1]), took(all[1:2]), took(all[2:3]))
		together := took(all)
		wall = together
		ratios = append(ratios, float64(together)/float64(alone))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x_alone(goal<=1.10)")
	b.ReportMetric(float64(len(all)), "regions")
	b.ReportMetric(float64(wall.Milliseconds()), "ms_together")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkProcess runs the executable itself: start to first poll, one run of 34 regions, and its peak memory. Goals: at
// most 10 ms and 20 MB.
func BenchmarkProcess(b *testing.B) {
	url, bundle := farAWS(b)
	var polls, runs, peaks []float64
	for b.Loop() {
		polled := make(chan time.Time, 1)
		service := &lambdaService{invocations: make(chan invocation), results: make(chan result, 1)}
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/next") {
				select {
				case polled <- time.Now():
				default:
				}
			}
			service.ServeHTTP(w, r)
		}))
		process := exec.Command(bootstrap)
		process.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://"), "AWS_ENDPOINT_URL=" + url, "AWS_CA_BUNDLE=" + bundle,
			"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "TOPIC_ARN=" + topic, "NOTIFY_ON=always", "AWS_LAMBDA_LOG_LEVEL=ERROR"}
		process.Stderr = os.Stderr
		start := time.Now()
		if err := process.Start(); err != nil {
			b.Fatal(err)
		}
		polls = append(polls, (<-polled).Sub(start).Seconds()*1000)
		sent := time.Now()
		service.invocations <- invocation{"run", []byte(`{}`), time.Minute}
		got := <-service.results
		runs = append(runs, got.at.Sub(sent).Seconds()*1000)
		var r record.Record
		if err := json.Unmarshal(got.body, &r); err != nil || r.Summary[audit.Compliant] != 34 || r.Notification.MessageID == "" {
			b.Fatalf("%s %v", got.body, err)
		}
		peaks = append(peaks, peakMB(process.Process.Pid)) // not getrusage's, which begins with this parent's
		process.Process.Kill()
		process.Wait()
		api.CloseClientConnections()
		api.Close()
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	b.ReportMetric(median(polls), "ms_to_first_poll(goal<=10)")
	b.ReportMetric(median(peaks), "MB_peak(goal<=20)")
	b.ReportMetric(median(runs), "ms_run")
	b.ReportMetric(0, "ns/op")
}
