package main

var inputRows = []row{}
