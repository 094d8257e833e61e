package main

var diskRows = []row{}
