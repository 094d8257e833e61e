package main

var topicRows = []row{}
