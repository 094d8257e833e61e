// Package evidence is the mathematics of the detection kinds that state a false-alarm budget. It turns the scores of sealed
// panes into evidence that a mean has dropped, evidence that holds its budget however often one looks.
//
// All of it is for scores scaled to x ∈ [0,1] of which higher is better; Weights.Mirror turns a scale round. One formula stands
// in one file, in the letters of its source:
//
//	weights.go     the pane's sums W, all that is kept of its scores: made in package windows
//	bet.go         ln of the wealth of a bet against E[x | past] ≥ m; bets aimed at the drop that a rule asks for
//	log.go         a quick ln that is never too great
//	exceed.go      a tail as scores of 0 and 1
//	pair.go        the same of two concurrent streams, whose common ups and downs cancel
//	series.go      Shiryaev–Roberts mixture of such bets, alarm, onset
//	purse.go       a rule's budget, shared by series that come and go
//	bound.go       confidence bounds of a mean; the sealed baseline
//	seasonal.go    sealed baselines of the hours of a day
//	difference.go  confidence sequence of the difference of two concurrent means
//	effect.go      how great the change behind an alarm is
//	power.go       what a rule can see: delay, smallest drop in a day
//
// What the guarantees assume, in one sentence: given all that was before, and given how many scores a pane has, each score of a
// pane has a mean of at least m. Scores need not be independent, nor of one distribution. What breaks it is a mean that dips
// below m now and then though nothing is wrong: a daily swing against a fixed m, a mixture of cohorts that shifts, panes whose
// means wander together.
//
// How good it can be. For bounded scores of which the mean alone is known, no method is faster to first order than ln(1/b)/KL_inf
// panes at a budget of b a pane, and mixtures of bets in Shiryaev–Roberts' form are as fast (Ram, Ramdas, Asymptotically optimal
// sequential change detection for bounded means, 2602.05272). The bench prints that, and what one could do who knew the
// distributions too.
//
// What else is published, and why it is not used. Repeated confidence sequences (Shekhar, Ramdas, 2309.09111) need no baseline
// but a sequence begun at every pane and kept until the alarm: memory and time that grow. Conformal test martingales
// (Vovk; conditional ones, 2602.13848) alarm at any change of distribution, for better too, and claim their budget for
// exchangeable scores alone. Bayesian online change points state no false alarms. Error over patience of many streams
// (Dandapanthula, Ramdas, 2501.04130) at the level of false alarms in all (PFER) is what Purse does, with shares that may
// change. A confidence set of the onset (Saha, Ramdas, 2502.06096) needs every pane since the last alarm.
//
// The package is pure: no clock, no goroutine, no I/O. Nothing in it is safe for concurrent use unless it says so.
package evidence
