package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/demo"
)

// decided is a person who has made up their mind.
func decided(approve bool) demo.Person {
	return func(context.Context) (bool, error) { return approve, nil }
}

// nobody approves, and says so: there is no terminal at which a key could be pressed.
func nobody(screen *demo.Screen) demo.Person {
	return func(context.Context) (bool, error) {
		screen.Ask("Nobody is at a terminal: approved, as with --yes. --no rejects.")
		return true, nil
	}
}

// keyWithin is how long the demo waits for a key before it goes on as if it had been Enter.
const keyWithin = 2 * time.Minute

// keyPress is the person at the terminal.
func keyPress(in io.Reader, screen *demo.Screen) demo.Person {
	return func(ctx context.Context) (bool, error) {
		screen.Ask("The clock stands still. Enter approves, n and Enter rejects.")
		line := make(chan string, 1)
		go func() { // it ends with the program: nobody can call off a read of a terminal
			text, err := bufio.NewReader(in).ReadString('\n')
			if err == nil || text != "" {
				line <- text
			}
		}()
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(keyWithin):
			return true, nil
		case text := <-line:
			return !strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "n"), nil
		}
	}
}
