"""Bad videos in a tree of DISFA."""

from chunks import chunks_of, without, write_avi
from mishaps import copy, mishap
from spoilt_trees import ONE, TREE, refused, reported
from trees import draw, hide_frames, label_file, lose_frame, spoil_frame, subject_points, video_file, write_video

REORDERED = {"bf": "2", "g": "12", "x264-params": "scenecut=0:b-adapt=0"}


@mishap(TREE)
def a_subject_has_no_video(folder):
    video_file(copy("tree", folder), ONE).unlink()
    return refused(folder)


@mishap(TREE)
def a_subject_has_two_videos(folder):
    video = video_file(copy("tree", folder), ONE)
    video.with_suffix(".mp4").write_bytes(video.read_bytes())
    return refused(folder)


@mishap(TREE)
def a_video_is_empty(folder):
    video_file(copy("tree", folder), ONE).write_bytes(b"")
    return refused(folder)


@mishap(TREE)
def a_video_is_no_video(folder):
    video_file(copy("tree", folder), ONE).write_text("<html>Not found</html>\n" * 99)
    return refused(folder)


@mishap(TREE)
def a_video_is_a_list_of_other_files(folder):
    video = video_file(copy("tree", folder), ONE)
    video.rename(video.with_name("secret.avi"))
    video.write_text("ffconcat version 1.0\nfile secret.avi\n")
    return refused(folder)


@mishap(TREE)
def a_video_leads_nowhere(folder):
    video = video_file(copy("tree", folder), ONE)
    video.unlink()
    video.symlink_to(folder / "unplugged" / video.name)
    return refused(folder)


@mishap(TREE)
def a_video_is_cut_short(folder):
    video = video_file(copy("tree", folder), ONE)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    return reported(folder)


@mishap(TREE)
def a_video_lacks_a_frame_in_the_middle(folder):
    video = video_file(copy("tree", folder), ONE)
    write_avi(video, without(chunks_of(video), [3]), b"MJPG", 128, 96)
    return reported(folder)


@mishap(TREE)
def a_video_lacks_a_frame_and_does_not_tell_which(folder):
    """Its frames lie in another order than they are shown in, and an AVI file has no times."""
    video = video_file(copy("tree", folder), ONE)
    images = (draw(number, own, 96, 128) for number, own in enumerate(subject_points(ONE, 5, 96, 128), start=1))
    made = chunks_of(write_video(folder / "whole.avi", images, codec="libx264", options=REORDERED))
    write_avi(video, [*made[:3], (b"", False), *made[3:]], b"H264", 128, 96)
    return refused(folder)


@mishap(TREE)
def a_video_may_lack_a_frame_or_not_and_its_last_is_gone(folder):
    video = video_file(copy("tree", folder), ONE)
    write_avi(video, without(chunks_of(video)[:-1], [3]), b"MJPG", 128, 96)
    return reported(folder)


@mishap(TREE)
def a_copy_of_a_video_lost_a_frame_in_the_middle(folder):
    lose_frame(video_file(copy("tree", folder), ONE), 3)
    return refused(folder)


@mishap(TREE)
def a_video_hides_frames_from_players(folder):
    video = video_file(copy("tree", folder), ONE)
    video.unlink()
    points = subject_points(ONE, 8, 96, 128)
    images = (draw(number, own, 96, 128) for number, own in enumerate(points, start=1))
    whole = write_video(folder / "whole.mp4", images, codec="libx264", options={"qmin": "0", "qmax": "51"})
    hide_frames(whole, video.with_suffix(".mp4"), 2)
    return refused(folder)


@mishap(TREE, "a frame is damaged in a video whose file does not tell when its frames are shown")
def cannot_be_numbered(folder):
    points = subject_points(ONE, 12, 96, 128)
    images = (draw(number, own, 96, 128) for number, own in enumerate(points, start=1))
    options = {"g": "12", "bf": "2", "qmin": "0", "qmax": "51", "x264-params": "b-adapt=0:scenecut=0"}
    video = write_video(video_file(copy("tree", folder), ONE), images, codec="libx264", options=options)
    spoil_frame(video, 5)
    return refused(folder)


@mishap(TREE)
def a_video_is_longer_than_its_labels(folder):
    points = subject_points(ONE, 9, 96, 128)
    images = (draw(number, own, 96, 128) for number, own in enumerate(points, start=1))
    write_video(video_file(copy("tree", folder), ONE), images)
    return reported(folder)


@mishap(TREE)
def a_video_has_no_labels(folder):
    label_file(copy("tree", folder), ONE, "AU4").parent.rename(folder / "labels")
    return refused(folder)
