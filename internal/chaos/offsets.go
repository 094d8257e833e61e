package main

var offsetRows = []row{}
