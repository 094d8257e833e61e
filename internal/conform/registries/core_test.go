package registries

var whole []testcase
