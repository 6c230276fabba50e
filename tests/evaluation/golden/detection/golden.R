# Reference values for the statistics of detection. Run in this folder: Rscript golden.R
# Everything is written as loops over pairs, straight from the definitions. Where RJafroc is installed, its figures of
# merit of the same marks are written to rjafroc.csv. coco.py then adds pycocotools' average precision.
set.seed(20240607)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# ---- marks: lesions with their score (NA: not marked) and weight, false positives, images 0 ... count - 1 ---------------
lesions <- false <- NULL
mark_set <- function(name, count, lesion_image, lesion_score, weight, false_image, false_score) {
  lesions <<- rbind(lesions, data.frame(set = name, count = count, image = lesion_image, score = lesion_score, weight = weight))
  if (length(false_image)) false <<- rbind(false, data.frame(set = name, image = false_image, score = false_score))
}
free_set <- function(name, count, most, digits, rate, missed) {
  diseased <- sort(sample(0:(count - 1), round(count * 0.4)))
  numbers <- sample(1:most, length(diseased), replace = TRUE)
  image <- rep(diseased, numbers)
  weight <- unlist(lapply(numbers, function(n) { raw <- sample(1:4, n, replace = TRUE); raw / sum(raw) }))
  score <- round(plogis(rnorm(length(image), 0.7)), digits); score[runif(length(image)) < missed] <- NA
  alarms <- rpois(count, rate)
  mark_set(name, count, image, score, weight, rep(0:(count - 1), alarms), round(plogis(rnorm(sum(alarms), -0.5)), digits))
}
free_set("several", 60, 3, 6, 1.5, 0.15)
free_set("tied", 60, 3, 1, 2, 0.2)
free_set("one_each", 50, 1, 6, 0.8, 0.1)
free_set("busy", 30, 2, 2, 9, 0)
mark_set("tiny", 4, c(0, 0, 2), c(.9, NA, .4), c(.25, .75, 1), c(1, 1, 2, 3), c(.5, .3, .9, .4))
mark_set("perfect", 6, c(0, 0, 1, 5), c(.9, .8, .7, .95), c(.5, .5, 1, 1), c(2, 3), c(.1, .2))
mark_set("silent", 5, c(0, 1, 1), c(NA, NA, NA), c(1, .5, .5), numeric(0), numeric(0))
save_csv(lesions, "lesions.csv"); save_csv(false, "false.csv")

# ---- AFROC and weighted AFROC: area, variance of components, jackknife within images with and without lesions -----------
psi <- function(x, y) if (x > y) 1 else if (x == y) 0.5 else 0
highest <- function(one_false, image) max(c(-Inf, one_false$score[one_false$image == image]))
figure <- function(one, alarms, diseased, normal, weighted) {   # weighted: by weight; otherwise every lesion counts alike
  total <- 0; lesion_count <- 0
  for (image in diseased) {
    rows <- which(one$image == image)
    lesion_count <- lesion_count + length(rows)
    for (row in rows) for (other in normal)
      total <- total + (if (weighted) one$weight[row] else 1) * psi(one$score[row], highest(alarms, other))
  }
  total / length(normal) / (if (weighted) length(diseased) else lesion_count)
}
jackknife <- function(one, alarms, diseased, normal, weighted) {
  if (min(length(diseased), length(normal)) < 2) return(NA)
  spread <- function(values) (length(values) - 1) / length(values) * sum((values - mean(values))^2)
  spread(sapply(diseased, function(left) figure(one, alarms, setdiff(diseased, left), normal, weighted))) +
    spread(sapply(normal, function(left) figure(one, alarms, diseased, setdiff(normal, left), weighted)))
}
# Variance by the sums over images (Obuchowski 1997 with images as clusters; DeLong et al. 1988 with one lesion each).
components <- function(one, alarms, diseased, normal) {
  theta <- figure(one, alarms, diseased, normal, FALSE); lesion_count <- nrow(one); first <- 0; second <- 0
  for (image in diseased) {
    deviation <- 0
    for (row in which(one$image == image)) for (other in normal)
      deviation <- deviation + (psi(one$score[row], highest(alarms, other)) - theta) / length(normal)
    first <- first + deviation^2
  }
  for (other in normal) {
    below <- 0
    for (row in seq_len(lesion_count)) below <- below + psi(one$score[row], highest(alarms, other)) / lesion_count
    second <- second + (below - theta)^2
  }
  k <- length(diseased); n <- length(normal)
  k / (k - 1) * first / lesion_count^2 + second / n / (n - 1)
}
areas <- fixed <- NULL
limits <- c(1/8, 1/4, 1/2, 1, 2, 4, 8)
for (name in unique(lesions$set)) {
  one <- lesions[lesions$set == name, ]; one$score[is.na(one$score)] <- -Inf
  alarms <- false[false$set == name, ]
  diseased <- unique(one$image); normal <- setdiff(0:(one$count[1] - 1), diseased)
  equal <- one; equal$weight <- sapply(one$image, function(image) 1 / sum(one$image == image))
  areas <- rbind(areas, data.frame(set = name,
    afroc = figure(one, alarms, diseased, normal, FALSE), afroc_variance = components(one, alarms, diseased, normal),
    afroc_jackknife = jackknife(one, alarms, diseased, normal, FALSE),
    wafroc = figure(equal, alarms, diseased, normal, TRUE), wafroc_variance = jackknife(equal, alarms, diseased, normal, TRUE),
    uneven = figure(one, alarms, diseased, normal, TRUE), uneven_variance = jackknife(one, alarms, diseased, normal, TRUE)))
  # ---- sensitivity: every score is tried as a threshold, the highest sensitivity within the limit counts ----------------
  for (variant in c("all images", "lesion-free images")) for (limit in limits) {
    counted <- if (variant == "all images") 0:(one$count[1] - 1) else normal
    best <- 0
    for (threshold in unique(c(one$score[is.finite(one$score)], alarms$score)))
      if (sum(alarms$score >= threshold & alarms$image %in% counted) / length(counted) <= limit)
        best <- max(best, sum(one$score >= threshold) / nrow(one))
    fixed <- rbind(fixed, data.frame(set = name, variant = variant, false_positives = limit, sensitivity = best))
  }
}
save_csv(areas, "areas.csv"); save_csv(fixed, "sensitivities.csv")

# ---- the same areas by RJafroc ---------------------------------------------------------------------------------------------
if (requireNamespace("RJafroc", quietly = TRUE)) {
  theirs <- NULL
  for (name in unique(lesions$set)) {
    one <- lesions[lesions$set == name, ]; one$score[is.na(one$score)] <- -Inf
    alarms <- false[false$set == name, ]
    diseased <- unique(one$image); normal <- setdiff(0:(one$count[1] - 1), diseased)
    numbers <- sapply(diseased, function(image) sum(one$image == image))
    nl <- matrix(-Inf, one$count[1], max(1, table(alarms$image))); ll <- matrix(-Inf, length(diseased), max(numbers))
    given <- ll
    for (place in seq_along(c(normal, diseased))) {
      found <- alarms$score[alarms$image == c(normal, diseased)[place]]
      nl[place, seq_along(found)] <- found
    }
    for (place in seq_along(diseased)) {
      ll[place, seq_len(numbers[place])] <- one$score[one$image == diseased[place]]
      given[place, seq_len(numbers[place])] <- one$weight[one$image == diseased[place]]
    }
    dataset <- RJafroc::Df2RJafrocDataset(nl, ll, perCase = numbers)
    merit <- function(data, kind) as.numeric(RJafroc::UtilFigureOfMerit(data, FOM = kind))
    uneven <- dataset; uneven$lesions$weights <- given
    theirs <- rbind(theirs, data.frame(set = name, afroc = merit(dataset, "AFROC"), wafroc = merit(dataset, "wAFROC"),
      uneven = merit(uneven, "wAFROC")))
  }
  save_csv(theirs, "rjafroc.csv")
}

# ---- boxes: greedy matching by falling score in nested loops -----------------------------------------------------------------
set.seed(7)
detections <- targets <- NULL
for (name in c("distinct", "tied")) for (image in 1:30) {
  marked <- if (image <= 18) sample(1:3, 1) else 0
  corner <- matrix(sample(0:60, 2 * marked, replace = TRUE), ncol = 2); side <- matrix(sample(15:50, 2 * marked, replace = TRUE), ncol = 2)
  if (marked) targets <- rbind(targets, data.frame(set = name, image = image, x0 = corner[, 1], y0 = corner[, 2], x1 = corner[, 1] + side[, 1], y1 = corner[, 2] + side[, 2]))
  drawn <- sample(0:7, 1)
  for (number in seq_len(drawn)) {
    if (marked && runif(1) < 0.7) {
      near <- sample(marked, 1); shift <- sample(-5:5, 4, replace = TRUE)
      box <- c(corner[near, ], corner[near, ] + side[near, ]) + shift
    } else { start <- sample(0:60, 2); box <- c(start, start + sample(10:50, 2)) }
    score <- round(runif(1), if (name == "tied") 1 else 5)
    detections <- rbind(detections, data.frame(set = name, image = image, x0 = box[1], y0 = box[2], x1 = box[3], y1 = box[4], score = score))
  }
}
overlap <- function(a, b) {
  width <- min(a$x1, b$x1) - max(a$x0, b$x0); height <- min(a$y1, b$y1) - max(a$y0, b$y0)
  shared <- if (width > 0 && height > 0) width * height else 0
  shared / ((a$x1 - a$x0) * (a$y1 - a$y0) + (b$x1 - b$x0) * (b$y1 - b$y0) - shared)
}
shuffled <- detections[sample(nrow(detections)), ]; targets <- targets[sample(nrow(targets)), ]
for (limit in c(0.3, 0.5, 0.75)) {
  taken <- rep(FALSE, nrow(targets)); found <- rep(-1, nrow(shuffled))
  for (row in order(-shuffled$score, shuffled$x0, shuffled$y0, shuffled$x1, shuffled$y1)) {
    best <- limit
    for (lesion in order(targets$x0, targets$y0, targets$x1, targets$y1)) {
      if (taken[lesion] || targets$set[lesion] != shuffled$set[row] || targets$image[lesion] != shuffled$image[row]) next
      this <- overlap(shuffled[row, ], targets[lesion, ])
      if (this > best || (this >= limit && found[row] == -1 && this == best)) { best <- this; found[row] <- lesion }
    }
    if (found[row] > 0) taken[found[row]] <- TRUE
  }
  shuffled[[paste0("lesion_", 100 * limit)]] <- ifelse(found > 0, found - 1, -1)   # rows of targets.csv, from 0
}
save_csv(shuffled, "detections.csv"); save_csv(targets, "targets.csv")
writeLines(c(R.version.string, if (file.exists("rjafroc.csv")) "rjafroc.csv: RJafroc 2.1.3", if (file.exists("coco.csv")) "coco.csv: pycocotools 2.0.11"), "versions.txt")
