package fakeslack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const uploadPath = "/upload/v1/"

// File is one that was uploaded, or is about to be.
type File struct {
	ID, Name, Title, Alt string
	Bytes                []byte
	Channel, Thread      string // where it was shared; empty for nowhere
	Complete             bool

	length int
}

// Files returns what was uploaded and completed, oldest first.
func (s *Server) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []File
	for _, f := range s.mu.files {
		if f.Complete {
			out = append(out, *f)
		}
	}
	return out
}

func (s *Server) file(id string) *File {
	for _, f := range s.mu.files {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// uploadURL is files.getUploadURLExternal.
func (s *Server) uploadURL(r *http.Request) answer {
	length, err := strconv.Atoi(r.PostForm.Get("length"))
	if err != nil || length < 1 || r.PostForm.Get("filename") == "" {
		return answer{code: "invalid_arguments"}
	}
	if len(r.PostForm.Get("alt_txt")) > 1000 {
		return answer{code: "alt_text_too_large"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &File{ID: fmt.Sprintf("F%04d", len(s.mu.files)+1), Name: r.PostForm.Get("filename"), Alt: r.PostForm.Get("alt_txt"), length: length}
	s.mu.files = append(s.mu.files, f)
	return answer{more: map[string]any{"upload_url": s.mu.base + uploadPath + f.ID, "file_id": f.ID}}
}

// upload takes the bytes, as they are or as a form.
func (s *Server) upload(r *http.Request) answer {
	var body io.Reader = r.Body
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		part, _, err := r.FormFile("file")
		if err != nil {
			return answer{status: http.StatusBadRequest, code: "no file"}
		}
		defer part.Close()
		body = part
	}
	data, err := io.ReadAll(io.LimitReader(body, maxRequest))
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(strings.TrimPrefix(r.URL.Path, uploadPath))
	if err != nil || f == nil || len(data) != f.length {
		return answer{status: http.StatusBadRequest, code: "not what was announced"}
	}
	f.Bytes = data
	return answer{}
}

// completeUpload is files.completeUploadExternal.
func (s *Server) completeUpload(r *http.Request) answer {
	var files []struct{ ID, Title string }
	if json.Unmarshal([]byte(r.PostForm.Get("files")), &files) != nil || len(files) == 0 {
		return answer{code: "invalid_arguments"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []map[string]string
	for _, one := range files {
		f := s.file(one.ID)
		if f == nil || f.Bytes == nil {
			return answer{code: "file_not_found"}
		}
		f.Complete, f.Title = true, one.Title
		f.Channel, f.Thread = r.PostForm.Get("channel_id"), r.PostForm.Get("thread_ts")
		out = append(out, map[string]string{"id": f.ID, "title": f.Title})
	}
	return answer{more: map[string]any{"files": out}}
}
