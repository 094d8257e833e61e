// Package protocol holds that every event counts once and every alert is told, whatever dies. It has no code of its own, but two
// property tests of that of the stages, over random schedules of what can go wrong: crashes, zombies, writes that are doubled, lost,
// late or refused, offsets set back and forward, retention, topics made again, state emptied.
//
// TestCores and FuzzProtocol play the cores of the stages on logs in memory, one goroutine in all: consumer.Partition (where to go on,
// rounds, the samples codec), detector.Partition (cursors, checkpoints, what is known of the past) and alert.Outbox (its ledger). A
// schedule takes half a millisecond. What workers do around the cores is played: in which order they write, checkpoint and commit.
//
// TestProtocol runs the workers themselves, goroutines and all, over a Cluster of kafkalog, with linked sources and rollbacks: some
// hundred times slower than a core is, some milliseconds a schedule. The order of writes and commits, fences, rewinds, group
// membership and the registry are tried there alone. TestBrokenPromises shows that its checks bite where Kafka breaks its word.
//
// Either says by which seed a failure can be had again. Longer: go test ./internal/protocol -run TestCores -schedules 1000000.
//
// What they find was tried by breaking the code. It was found after so many schedules (-: not in 3000, as most of that is played there):
//
//	broken                                                        TestCores   TestProtocol
//	detect counts what is below its cursor                                1              1
//	a cursor goes back with an older batch                               20            638
//	a cursor stays at the last event                                      1              1
//	a checkpoint without cursors                                        103              3
//	a checkpoint names the record behind its own                          4              1
//	a commit of one offset too many                                       1              1
//	one incarnation for all topics of a name                              1              1
//	a commit before the acknowledgement                                   -              1
//	what is not acknowledged is not sent again                            -              4
//	a commit of what still waits for a link                               -              1
//	the lineage of an older topic is taken for this one's                 -             25
//	nothing is read again of what is to be linked                         -              5
//	steps are written once, acknowledged or not                           -             45
//	act commits what it has not told                                      -             32
//	the outbox says that nothing is outstanding                         495             73
//	what was told is not recorded                                         -             63
//
// Fences, and events that are sent or offered again, are tried by the simulation of package consumer.
package protocol
