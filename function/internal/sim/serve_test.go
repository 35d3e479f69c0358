package sim_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

const authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=00"

func TestRawRequests(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	tests := map[string]struct {
		path, auth, target, contentType, body string
		status                                int
		want                                  string
	}{
		"unsigned events":  {"/", "", "AWSEvents.ListRules", "", "{}", 403, `"__type":"MissingAuthenticationTokenException"`},
		"unsigned account": {"/listRegions", "", "", "", "", 403, `"message"`},
		"unsigned sns":     {"/", "", "", form, "Action=Publish", 403, "<Code>MissingAuthenticationToken</Code>"},
		"unsigned ec2":     {"/", "", "", form, "Action=DescribeRegions", 403, "<Response><Errors><Error><Code>MissingAuthenticationToken"},
		"unsigned nothing": {"/", "", "", "", "", 403, "<ErrorResponse>"},
		"other scheme":     {"/", "Basic Zm9v", "AWSEvents.ListRules", "", "{}", 403, "MissingAuthenticationToken"},
		"other service":    {"/", fmt.Sprintf(authorization, "us-east-1", "dynamodb"), "", "", "", 404, "UnknownOperationException"},
		"other target":     {"/", fmt.Sprintf(authorization, "us-east-1", "events"), "Other.ListRules", "", "{}", 400, "UnknownOperationException"},
		"no JSON":          {"/", fmt.Sprintf(authorization, "us-east-1", "events"), "AWSEvents.ListRules", "", "{", 400, "SerializationException"},
		"JSON list":        {"/", fmt.Sprintf(authorization, "us-east-1", "events"), "AWSEvents.ListRules", "", "[]", 400, "SerializationException"},
		"JSON wrong type":  {"/", fmt.Sprintf(authorization, "us-east-1", "events"), "AWSEvents.ListRules", "", `{"Limit":"x"}`, 400, "SerializationException"},
		"unknown action":   {"/", fmt.Sprintf(authorization, "us-east-1", "sns"), "", form, "Action=Fly", 400, "<Code>InvalidAction</Code>"},
		"odd form":         {"/", fmt.Sprintf(authorization, "us-east-1", "sns"), "", form, "Action=ListTopics&%zz=1;", 200, "ListTopicsResponse"},
		"too long":         {"/", fmt.Sprintf(authorization, "us-east-1", "sns"), "", form, strings.Repeat("a", 3<<20), 413, "RequestEntityTooLarge"},
		"fine":             {"/", fmt.Sprintf(authorization, "us-east-1", "events"), "AWSEvents.ListRules", "", "{}", 200, `{"Rules":[]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", tt.auth)
			r.Header.Set("X-Amz-Target", tt.target)
			r.Header.Set("Content-Type", tt.contentType)
			rec := httptest.NewRecorder()
			newWorld(t, sim.Scenario{}).ServeHTTP(rec, r)
			if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.want) {
				t.Errorf("%d %s, want %d with %s", rec.Code, rec.Body, tt.status, tt.want)
			}
		})
	}
}

func TestControlTakesOnlyUnsignedGet(t *testing.T) {
	w := newWorld(t, sim.Scenario{})
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/_sim/calls", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", rec.Code)
	}
	rec = httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/_sim/messages", nil))
	if strings.Join(strings.Fields(rec.Body.String()), "") != `{"messages":[]}` {
		t.Errorf("no messages read as %s", rec.Body)
	}
	if len(w.Calls()) != 0 {
		t.Error("asking counts as a call")
	}
}

func TestClockIsInjected(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w, err := sim.NewWithOptions(sim.Scenario{}, sim.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	if err := listRules(eventsIn(w, "us-east-1")); err != nil {
		t.Fatal(err)
	}
	want := sim.Call{Time: at, Account: "123456789012", Region: "us-east-1", Service: "events", Operation: "ListRules", Status: 200,
		Actions: []string{"events:ListRules"}, AccessKey: "AKIAIOSFODNN7EXAMPLE", Resource: "arn:aws:events:us-east-1:123456789012:rule/*"}
	if got := w.Calls()[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	w := loadWorld(t, "healthy")
	var wg sync.WaitGroup
	for _, region := range w.Regions() {
		wg.Go(func() {
			_ = listRules(eventsIn(w, region))
			_ = w.AddFault(sim.Fault{Kind: sim.Deny, Region: region})
			_, _, _ = w.Calls(), w.Published(), w.Rules(region)
		})
	}
	wg.Wait()
	if got := len(w.Calls()); got != 34 {
		t.Errorf("%d calls", got)
	}
}

func TestClientHonoursAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := newWorld(t, sim.Scenario{})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://events.us-east-1.amazonaws.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Client().Do(req); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
	if len(w.Calls()) != 0 {
		t.Error("the request arrived")
	}
	if _, err := w.Client().Do(&http.Request{}); err == nil {
		t.Error("a request without a URL is answered")
	}
}

func FuzzServeHTTP(f *testing.F) {
	for _, service := range []string{"account", "ec2", "events", "sns", "sts", "s3"} {
		f.Add(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: "+authorization+"\r\nX-Amz-Target: AWSEvents.PutRule\r\n\r\n", "us-east-1", service),
			[]byte(`{"Name":"r","ScheduleExpression":"cron(0 0 ? * 2#1 *)","Limit":1}`))
	}
	f.Add([]byte("POST /listRegions HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/us-east-1/account/aws4_request\r\n\r\n"), []byte(`{"MaxResults":3,"NextToken":"AAAA"}`))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/us-east-1/sns/aws4_request\r\n\r\n"),
		[]byte("Action=Publish&TopicArn=arn:aws:sns:us-east-1:123456789012:eventbridge-auditor&MessageStructure=json&Message=%7B%22default%22:%22a%22%7D&MessageAttributes.entry.1.Name=a"))
	f.Add([]byte("GET /_sim/calls HTTP/1.1\r\nHost: a\r\n\r\n"), []byte(nil))
	s, err := sim.Load("demo")
	if err != nil {
		f.Fatal(err)
	}
	s.Faults = nil
	f.Fuzz(func(t *testing.T, head, body []byte) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head))))
		if err != nil {
			return // not HTTP: the server never sees it
		}
		r.Body = http.NoBody
		if len(body) > 0 {
			r.Body = struct {
				*strings.Reader
				nopCloser
			}{strings.NewReader(string(body)), nopCloser{}}
		}
		w := newWorld(t, s)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code < 200 || rec.Code > 599 {
			t.Errorf("status %d", rec.Code)
		}
	})
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }
