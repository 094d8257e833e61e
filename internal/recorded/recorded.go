// Package recorded reads answers that models gave to the same questions before and after a change, for tests and for bench-detect.
// The file lies beside the repository, for it is not ours to pass on: llmdrift_opinionqa.csv, made of what Chen, Zaharia and Zou
// recorded (How is ChatGPT's behavior changing over time?, 2307.09009).
package recorded

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Path is where the file lies, from the root of the repository.
const Path = "../shared/data/llmdrift_opinionqa.csv"

// Answer is a line of the file.
type Answer struct {
	Time                         time.Time
	Model                        string // such as gpt-4-0613
	Latency, Cost, Tokens, Score float64
}

// Read reads the file. The error is fs.ErrNotExist where it is not there.
func Read(path string) ([]Answer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	names := []string{"timestamp", "model", "latency_s", "cost_usd", "answer_tokens", "score"}
	var at [6]int
	for i, name := range names {
		if at[i] = slices.Index(lines[0], name); at[i] < 0 {
			return nil, fmt.Errorf("read %s: no column %s", path, name)
		}
	}
	answers := make([]Answer, len(lines)-1)
	for i, l := range lines[1:] {
		a := &answers[i]
		if a.Time, err = time.Parse("2006-01-02T15:04:05", l[at[0]]); err != nil {
			return nil, fmt.Errorf("read %s, line %d: %w", path, i+2, err)
		}
		_, a.Model, _ = strings.Cut(l[at[1]], "/")
		for j, to := range []*float64{&a.Latency, &a.Cost, &a.Tokens, &a.Score} {
			if *to, err = strconv.ParseFloat(l[at[2+j]], 64); err != nil {
				return nil, fmt.Errorf("read %s, line %d: %w", path, i+2, err)
			}
		}
	}
	return answers, nil
}

// Scores are those of each model, in their order.
func Scores(answers []Answer) map[string][]float64 {
	scores := make(map[string][]float64)
	for _, a := range answers {
		scores[a.Model] = append(scores[a.Model], a.Score)
	}
	return scores
}
