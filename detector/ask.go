package detector

import (
	"cmp"
	"context"
	"slices"
)

// Status is where every rule with a budget stands, over all partitions that this worker owns and has ready. Each is asked between two
// fetches, so the answer takes up to MaxWait; a partition that is given up meanwhile is left out. It may be called at any time, by
// any goroutine; it fails only when ctx ends first, as it does when a broker keeps a partition from going on.
func (w *Worker) Status(ctx context.Context) ([]RuleStatus, error) {
	w.mu.Lock()
	tasks := slices.Clone(w.mu.tasks)
	w.mu.Unlock()
	var all []RuleStatus
	index := make(map[[2]string]int)
	for _, t := range tasks {
		part, err := t.ask(ctx)
		if err != nil {
			return nil, err
		}
		for i := range part {
			name := [2]string{part[i].Group, part[i].Rule}
			if at, ok := index[name]; ok {
				all[at].merge(&part[i])
				continue
			}
			index[name] = len(all)
			all = append(all, part[i])
		}
	}
	slices.SortStableFunc(all, func(a, b RuleStatus) int { return cmp.Compare(a.order, b.order) })
	return all, nil
}

// ask has the task's goroutine say where its rules stand; nil when it is over.
func (t *task) ask(ctx context.Context) ([]RuleStatus, error) {
	answer := make(chan []RuleStatus, 1)
	select {
	case t.asked <- answer:
		return <-answer, nil
	case <-t.left:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answer answers those who wait.
func (t *task) answer() {
	for {
		select {
		case to := <-t.asked:
			to <- t.p.Status()
		default:
			return
		}
	}
}

// enter makes the task one that can be asked, until leave is called.
func (w *Worker) enter(t *task) (leave func()) {
	t.asked, t.left = make(chan chan<- []RuleStatus), make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.tasks = append(w.mu.tasks, t)
	return func() {
		close(t.left)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.mu.tasks = slices.DeleteFunc(w.mu.tasks, func(o *task) bool { return o == t })
	}
}
