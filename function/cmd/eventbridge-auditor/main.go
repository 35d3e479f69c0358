// The auditor in the terminal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	status := cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	os.Exit(status)
}
