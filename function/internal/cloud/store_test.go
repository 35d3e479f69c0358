package cloud_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

// stores are the two homes of a store, each empty.
func stores(t *testing.T) map[string]history.Blobs {
	t.Helper()
	w, err := sim.New(sim.Scenario{Buckets: []string{"history"}, PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	session := cloud.OpenStatic(cloud.Static{HTTPClient: w.Client(), Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	return map[string]history.Blobs{"bucket": session.Store("s3://history"), "prefix": session.Store("s3://history/a/b/"), "folder": session.Store(filepath.Join(t.TempDir(), "x", "y"))}
}

// Both homes keep the same promises.
func TestStoresKeepTheirPromises(t *testing.T) {
	for name, blobs := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if _, _, err := blobs.Get(ctx, "state.json"); !errors.Is(err, history.ErrNone) {
				t.Errorf("Get of nothing: %v", err)
			}
			if names, err := blobs.List(ctx, "records/"); err != nil || len(names) != 0 {
				t.Errorf("List of nothing: %v, %v", names, err)
			}
			if err := blobs.Put(ctx, "state.json", []byte("one"), `"0123"`); !errors.Is(err, history.ErrChanged) {
				t.Errorf("Put over what is gone: %v", err)
			}
			if err := blobs.Put(ctx, "state.json", []byte("one"), ""); err != nil {
				t.Fatal(err)
			}
			if err := blobs.Put(ctx, "state.json", []byte("two"), ""); !errors.Is(err, history.ErrChanged) {
				t.Errorf("Put as new over what is there: %v", err)
			}
			data, version, err := blobs.Get(ctx, "state.json")
			if err != nil || string(data) != "one" || version == "" {
				t.Fatalf("%q, %q, %v", data, version, err)
			}
			if err := blobs.Put(ctx, "state.json", []byte("two"), version); err != nil {
				t.Error(err)
			}
			if err := blobs.Put(ctx, "state.json", []byte("three"), version); !errors.Is(err, history.ErrChanged) {
				t.Errorf("Put over a newer one: %v", err)
			}
			for _, n := range []string{"records/b/2.json", "records/a/1.json", "records/c", "recordsx"} {
				if err := blobs.Put(ctx, n, []byte("{}"), ""); err != nil {
					t.Fatal(err)
				}
			}
			if names, err := blobs.List(ctx, "records/"); err != nil || !slices.Equal(names, []string{"records/a/1.json", "records/b/2.json", "records/c"}) {
				t.Errorf("%v, %v", names, err)
			}
		})
	}
}

// Of many writers at once each either writes on what it read or is told.
func TestStoresCountEveryWriter(t *testing.T) {
	for name, blobs := range stores(t) {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for {
						data, version, err := blobs.Get(t.Context(), "count")
						if err != nil && !errors.Is(err, history.ErrNone) {
							t.Error(err)
							return
						}
						err = blobs.Put(t.Context(), "count", append(data, 'x'), version)
						if err == nil {
							return
						}
						if !errors.Is(err, history.ErrChanged) {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			if data, _, err := blobs.Get(t.Context(), "count"); err != nil || string(data) != "xxxxxxxx" {
				t.Errorf("%q, %v", data, err)
			}
		})
	}
}

// What a killed run left behind holds nobody up for ever, and half a file is never in the place of a whole one.
func TestFolderAfterAKill(t *testing.T) {
	root := t.TempDir()
	blobs := cloud.Folder(root)
	lock := filepath.Join(root, "state.json.lock")
	for name, text := range map[string]string{"state.json": "whole", "state.json.new": "ha", "state.json.lock": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	data, version, err := blobs.Get(t.Context(), "state.json")
	if err != nil || string(data) != "whole" {
		t.Errorf("%q, %v", data, err)
	}
	if names, err := blobs.List(t.Context(), ""); err != nil || !slices.Equal(names, []string{"state.json"}) {
		t.Errorf("%v, %v", names, err)
	}
	if err := blobs.Put(t.Context(), "state.json", []byte("newer"), version); err != nil {
		t.Error(err)
	}
}

// elsewhere is S3 for a bucket of another region: it says where, and only there is the object.
type elsewhere struct{ asked []string }

func (e *elsewhere) Do(r *http.Request) (*http.Response, error) {
	e.asked = append(e.asked, r.URL.Host)
	if !strings.Contains(r.URL.Host, "eu-west-1") {
		resp, err := answer{status: http.StatusMovedPermanently, body: `<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>`}.Do(r)
		if err == nil {
			resp.Header.Set("X-Amz-Bucket-Region", "eu-west-1")
		}
		return resp, err
	}
	return answer{status: http.StatusOK, body: "found"}.Do(r)
}

func TestBucketOfAnotherRegion(t *testing.T) {
	e := &elsewhere{}
	session := cloud.OpenStatic(cloud.Static{HTTPClient: e, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	data, err := session.ReadObject(t.Context(), "s3://lists/our/exceptions.json")
	if err != nil || string(data) != "found" || len(e.asked) != 2 || !strings.HasPrefix(e.asked[1], "lists.s3.eu-west-1.") {
		t.Errorf("%q, %v, asked %v", data, err, e.asked)
	}
	blobs := session.Store("s3://lists/x")
	for range 2 {
		blobs.Get(t.Context(), "state.json")
	}
	if len(e.asked) != 5 { // the region is remembered
		t.Errorf("asked %v", e.asked)
	}
}
