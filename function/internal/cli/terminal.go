package cli

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// terminal returns the width of a stream that is a terminal, else ok is false.
func terminal(stream any) (width int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, true
}

// lookOf allows colour on a terminal only, and there unless NO_COLOR (https://no-color.org) or a dumb terminal forbids it.
func (p *program) lookOf(stream io.Writer) look {
	width, ok := terminal(stream)
	return look{color: ok && p.lookup("NO_COLOR") == "" && p.lookup("TERM") != "dumb", width: width}
}

// progress shows on a terminal how far a run is, on one line that it takes away again.
type progress struct {
	w     io.Writer // nil where nothing is shown
	mutex sync.Mutex
	shown bool
}

func (p *program) progress() *progress {
	if _, ok := terminal(p.stderr); !ok || p.lookup("TERM") == "dumb" {
		return &progress{}
	}
	return &progress{w: p.stderr}
}

func (b *progress) show(done, total int) {
	if b.w == nil {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.shown = true
	fmt.Fprintf(b.w, "\r\x1b[K%d of %d regions done", done, total)
}

func (b *progress) clear() {
	if b.w != nil && b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
