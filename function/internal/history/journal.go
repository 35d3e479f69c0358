package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Blobs keep named pieces of text. A name has slashes. Each method retries what is worth retrying.
type Blobs interface {
	// Get returns a piece and its version; its error wraps ErrNone where there is none.
	Get(ctx context.Context, name string) (data []byte, version string, err error)
	// Put writes a piece whose version is still the given one, "" for one that is not there. Its error wraps ErrChanged
	// where that is not so. It writes all or nothing.
	Put(ctx context.Context, name string, data []byte, version string) error
	// List returns the names that begin with a prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

var (
	// ErrNone says that there is no such piece.
	ErrNone = errors.New("there is none")
	// ErrChanged says that somebody else has written the piece in between.
	ErrChanged = errors.New("changed in between")
)

const stateName = "state.json"

// Journal is the state and the records in Blobs.
type Journal struct {
	Blobs   Blobs
	version string // of the state as loaded
}

// Load reads the state; an empty one where there is none yet. A state that makes no sense is set aside under another name,
// and an empty one takes its place; aside then says so. Its error means that nobody knows the state.
func (j *Journal) Load(ctx context.Context, runID string) (state State, aside string, err error) {
	data, version, err := j.Blobs.Get(ctx, stateName)
	j.version = version
	switch {
	case errors.Is(err, ErrNone):
		j.version = ""
		return State{}, "", nil
	case err != nil:
		return State{}, "", fmt.Errorf("read %s: %w", stateName, err)
	}
	if state, err = parse(data); err == nil {
		return state, "", nil
	}
	name := "unreadable/state-" + runID + ".json"
	if putErr := j.Blobs.Put(ctx, name, data, ""); putErr != nil && !errors.Is(putErr, ErrChanged) {
		return State{}, "", fmt.Errorf("%s is unreadable (%w), and could not be set aside: %w", stateName, err, putErr)
	}
	return State{}, fmt.Sprintf("the state of earlier runs is unreadable (%v): set aside as %s, and begun anew, so that what fails is told again", err, name), nil
}

func parse(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("not JSON of a state: %w", err)
	}
	major, _, _ := strings.Cut(s.SchemaVersion, ".")
	if wanted, _, _ := strings.Cut(SchemaVersion, "."); major != wanted {
		return State{}, fmt.Errorf("schema version %q, want %s", s.SchemaVersion, SchemaVersion)
	}
	for _, o := range s.Scopes {
		if o.Account == "" || o.Region == "" || o.Failing == nil && o.Unjudged == nil {
			return State{}, errors.New("a scope without a name, or with nothing open")
		}
	}
	return s, nil
}

// Renew reads the state again, before a further Save.
func (j *Journal) Renew(ctx context.Context, runID string) (State, error) {
	state, _, err := j.Load(ctx, runID)
	return state, err
}

// tries bound the races that Save loses before it gives up.
const tries = 10

// Save writes the state after a run: next makes it from the state before. Where another run was quicker, next is asked again
// with what that run left.
func (j *Journal) Save(ctx context.Context, runID string, state State, next func(State) State) error {
	var err error
	for attempt := range tries {
		if attempt > 0 { // not all of those that lost at once again
			timer := time.NewTimer(time.Duration(rand.Int64N(int64(attempt) * int64(40*time.Millisecond))))
			select {
			case <-ctx.Done():
				timer.Stop()
				return fmt.Errorf("write %s: %w", stateName, ctx.Err())
			case <-timer.C:
			}
			var loadErr error
			if state, _, loadErr = j.Load(ctx, runID); loadErr != nil {
				return loadErr
			}
		}
		var data []byte
		if data, err = json.Marshal(next(state)); err != nil {
			return err
		}
		if err = j.Blobs.Put(ctx, stateName, data, j.version); err == nil {
			return nil
		}
		if !errors.Is(err, ErrChanged) {
			break
		}
	}
	return fmt.Errorf("write %s: %w", stateName, err)
}

// Append keeps a record, as one line of JSON in a piece of its own: the form that Athena reads, partitioned by day.
func (j *Journal) Append(ctx context.Context, at time.Time, runID string, line []byte) error {
	name := fmt.Sprintf("%s%s-%s.json", DayPrefix(at), at.UTC().Format("150405"), runID)
	err := j.Blobs.Put(ctx, name, append(line, '\n'), "")
	if errors.Is(err, ErrChanged) { // the same run, retried within a second
		return nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// DayPrefix begins the names of a day's records.
func DayPrefix(at time.Time) string {
	return at.UTC().Format("records/year=2006/month=01/day=02/")
}
