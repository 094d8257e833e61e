// Package protocol holds that every event counts once and every alert is told, whatever dies. It has no code of its own, but two
// property tests of that of the stages, over random schedules of what can go wrong: crashes, zombies, writes that are doubled, lost,
// late or refused, offsets set back and forward, retention, topics made again, state emptied.
//
// TestCores and FuzzProtocol play the cores of the stages on logs in memory, one goroutine in all: consumer.Partition (where to go on,
// rounds, the samples codec), detector.Partition (cursors, checkpoints, what is known of the past) and alert.Outbox (its ledger). A
// schedule takes a third of a millisecond. What workers do around the cores is played: in which order they write, checkpoint and commit.
//
// TestProtocol runs the workers themselves, goroutines and all, over a Cluster of kafkalog, with linked sources and rollbacks: some
// hundred times slower than a core is, some milliseconds a schedule. The order of writes and commits, fences, rewinds, group
// membership and the registry are tried there alone. TestBrokenPromises shows that its checks bite where Kafka breaks its word.
//
// Either says by which seed a failure can be had again. Longer: go test ./internal/protocol -run TestCores -schedules 1000000.
package protocol
