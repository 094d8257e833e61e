// Package fault lets a process end or stand still at a named point between two effects: between what it read, what it wrote, what
// it committed and whom it told. A build without the tag chaos has none of that: there Point is an empty function that the compiler
// leaves out, and nothing reads the environment. No point is passed once an event.
package fault

// Env names the environment variable that says, to a build with the tag chaos, what happens where:
// POINT:NTH[:ACTION], several separated by commas. The action
// comes when the point is passed for the NTH time, from 1 on: kill (the default) ends the process as SIGKILL does, stop lets it
// stand still until SIGCONT.
const Env = "DRIFTD_FAULT"

// Points are all points, in the order in which an event's effects pass them.
var Points = []string{
	"ingest.begin",     // an offset to begin at is about to be committed
	"ingest.fetched",   // source records were read
	"ingest.produce",   // samples, heartbeats or dead letters are about to be written
	"ingest.produced",  // they are acknowledged, ingest does not know it yet
	"ingest.commit",    // source offsets are about to be committed
	"ingest.committed", // they are, ingest does not know it yet

	"detect.restore",      // a checkpoint was found, nothing is restored yet
	"detect.restored",     // the partition is as it was
	"detect.reset",        // no checkpoint can be used, and the state topic says so
	"detect.fetched",      // samples were read
	"detect.produce",      // steps of alerts are about to be written
	"detect.produced",     // they are acknowledged, detect does not know it yet
	"detect.checkpoint",   // a checkpoint is due
	"detect.save",         // a request of records of it is about to be written
	"detect.saved",        // that request is acknowledged
	"detect.checkpointed", // the checkpoint stands whole, its offset is not committed yet
	"detect.committed",    // it is

	"act.fetched",   // alert records were read
	"act.notify",    // a receiver is about to be told
	"act.notified",  // it has answered, nothing is written down yet
	"act.promote",   // the registry is about to be asked to promote
	"act.promoted",  // it has answered, nothing is written down yet
	"act.record",    // what was done is about to be written down
	"act.recorded",  // that is acknowledged, act does not know it yet
	"act.commit",    // offsets of alerts are about to be committed
	"act.committed", // they are
}
